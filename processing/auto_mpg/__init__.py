"""Fuel economy of cars: Auto MPG and XGBoost."""
