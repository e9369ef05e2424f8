"""A file of cars to predict, in the forms that people have."""

from pathlib import Path

import numpy as np
import pytest

from auto_mpg.inference import input_fn
from auto_mpg.rows import rows
from common.uploads import BadUpload

CHEVELLE = "8,307.0,130.0,3504,12.0,70,1,chevelle"


def read(folder: Path, text: str) -> list[str]:
    path = folder / "cars.csv"
    path.write_text(text)
    return list(rows(path, "cars.csv"))


@pytest.mark.parametrize(
    "text",
    [
        f"{CHEVELLE}\n",
        f"18.0,{CHEVELLE}\n",
        f"mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin,car_name\n18.0,{CHEVELLE}\n",
        f"Cylinders,Displacement,Horsepower,Weight,Acceleration,Model Year,Origin,Name\n{CHEVELLE}\n",
        "name,origin,year,acceleration,weight,horsepower,displacement,cylinders,colour\n"
        "chevelle,1,70,12.0,3504,130.0,307.0,8,red\n",
        '18.0   8   307.0      130.0      3504.      12.0   70  1\t"chevelle"\n',
    ],
)
def test_a_car_is_read_from_any_form_of_an_upload(tmp_path: Path, text: str) -> None:
    [line] = read(tmp_path, text)
    np.testing.assert_array_equal(input_fn(line, "text/csv"), input_fn(CHEVELLE, "text/csv"))


def test_the_name_may_be_left_out_and_a_horsepower_may_be_missing(tmp_path: Path) -> None:
    assert read(tmp_path, "8,307.0,?,3504,12.0,70,usa\n") == ["8,307.0,?,3504,12.0,70,usa,"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cars.csv is empty; send a car a line"),
        ("1,2,3\n", "cars.csv, line 1: has 3 fields; expected cylinders,displacement,"),
        (f"{CHEVELLE}\n8,abc,130,3504,12,70,1,x\n", 'cars.csv, line 2: displacement is "abc"; expected a number'),
        ("8,abc,130,3504,12,70,1\n", 'cars.csv, line 1: displacement is "abc"; expected a number'),
        ("weight,origin\n3504,1\n", "cars.csv, line 1: the columns cylinders, displacement, horsepower, acceleration"),
        ("<html>", "cars.csv, line 1: "),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadUpload) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(problem)
