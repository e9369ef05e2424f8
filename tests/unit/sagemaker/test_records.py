import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.sagemaker.errors import JobFailed
from local.sagemaker.records import (
    BadFilter,
    Batching,
    column_filter,
    is_json,
    join_csv,
    join_json,
    select,
    split_fields,
    split_lines,
)


@pytest.mark.parametrize(
    ("path", "line", "selected"),
    [
        ("$", 'a,"b,c",d', 'a,"b,c",d'),
        ("$[1:]", 'a,"b,c",d', '"b,c",d'),
        ("$[:-1]", 'a,"b ""x"" c",d', 'a,"b ""x"" c"'),
        ("$[0:2]", "a,b,c", "a,b"),
        ("$[-1]", "a,b,c", "c"),
        ("$[0, 2]", "a,b,c", "a,c"),
        ("$[7]", "a,b,c", ""),
        ("$[1:]", ",,", ","),
    ],
)
def test_a_filter_selects_columns_and_leaves_them_as_they_were_written(
    path: str, line: str, selected: str
) -> None:
    assert list(select([line.encode()], path)) == [selected.encode()]


@pytest.mark.parametrize("path", ["", "$.a", "$[a]", "$[1:2:3]", "$[?(@)]"])
def test_a_filter_that_selects_no_columns_is_refused(path: str) -> None:
    with pytest.raises(BadFilter):
        column_filter(path)


@given(st.text(st.sampled_from('ab,"'), max_size=12))
def test_splitting_a_line_loses_nothing(line: str) -> None:
    assert ",".join(split_fields(line)) == line


def test_lines_may_have_any_line_end_and_empty_ones_are_no_records() -> None:
    assert list(split_lines([b"a\r\n", b"b\n", b"\n", b"c"])) == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("batching", "bodies"),
    [
        (Batching(lines=True, many=True, max_bytes=100), [b"aa\nbb\ncc\n"]),
        (Batching(lines=True, many=True, max_bytes=6), [b"aa\nbb\n", b"cc\n"]),
        (Batching(lines=True, many=True, max_bytes=5), [b"aa\n", b"bb\n", b"cc\n"]),
        (Batching(lines=True, many=False, max_bytes=100), [b"aa\n", b"bb\n", b"cc\n"]),
    ],
)
def test_records_are_batched_up_to_the_size_of_a_payload(batching: Batching, bodies: list[bytes]) -> None:
    assert list(batching.payloads([b"aa", b"bb", b"cc"])) == bodies


def test_an_object_that_is_not_split_is_sent_as_it_is() -> None:
    assert list(Batching(lines=False, many=True, max_bytes=100).payloads([b"a\nb"])) == [b"a\nb"]


def test_a_record_larger_than_a_payload_fails_the_job() -> None:
    with pytest.raises(JobFailed, match="a record of 9 bytes is larger than MaxPayloadInMB allows"):
        list(Batching(lines=True, many=True, max_bytes=9).payloads([b"123456789"]))


def test_each_input_is_joined_with_its_result() -> None:
    assert list(join_csv([b"a,b", b"c,d"], [b"1", b"2"], "x.csv")) == [b"a,b,1", b"c,d,2"]


def test_results_of_another_number_than_the_inputs_cannot_be_joined() -> None:
    with pytest.raises(JobFailed, match=r"x\.csv has 2 records, but the model returned 1"):
        list(join_csv([b"a", b"b"], [b"1"], "x.csv"))
    with pytest.raises(JobFailed, match=r"x\.csv has 1 records, but the model returned 3"):
        list(join_csv([b"a"], [b"1", b"2", b"3"], "x.csv"))


@pytest.mark.parametrize(
    ("record", "result", "joined"),
    [
        (b'{"id": 1, "x": "\xc3\xa9"}', b"[0.5]", b'{"id":1,"x":"\xc3\xa9","SageMakerOutput":[0.5]}'),
        (b'{"id": 1}', b'{"label": 7}', b'{"id":1,"SageMakerOutput":{"label":7}}'),
        (b"[1, 2]", b"3", b'{"SageMakerInput":[1,2],"SageMakerOutput":3}'),
        (b'{"SageMakerOutput": 0}', b"1", b'{"SageMakerOutput":1}'),
    ],
)
def test_json_gets_its_result_as_an_attribute(record: bytes, result: bytes, joined: bytes) -> None:
    assert list(join_json([record], [result], "x.jsonl")) == [joined]


@pytest.mark.parametrize(
    ("inputs", "results", "reason"),
    [
        ([b"{}", b"{}"], [b"1"], "has 2 records, but the model returned 1"),
        ([b"{"], [b"1"], "a record of x.jsonl is no JSON: {"),
        ([b"{}"], [b"seven"], "an answer of the model is no JSON: seven"),
    ],
)
def test_what_cannot_be_joined_as_json_fails_the_job(
    inputs: list[bytes], results: list[bytes], reason: str
) -> None:
    with pytest.raises(JobFailed, match=reason):
        list(join_json(inputs, results, "x.jsonl"))


@pytest.mark.parametrize("content_type", ["application/json", "application/jsonlines; charset=utf-8"])
def test_json_is_known_by_its_content_type(content_type: str) -> None:
    assert is_json(content_type)
    assert not is_json("text/csv")
    assert not is_json("application/jsonp")
