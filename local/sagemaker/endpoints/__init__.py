"""Models behind endpoints: warm containers, the traffic between them, and their deployment."""
