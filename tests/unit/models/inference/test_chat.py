"""A compiled Qwen3 model writes an answer, piece by piece, and says how it ended."""

import itertools
from pathlib import Path

import pytest

from sluicegate.models.inference.chat import ChatEnd, ChatModel, ChatOptions
from sluicegate.models.inference.chat_template import ChatMessage
from sluicegate.schemas.errors import CannotChat, EngineFailed, PromptTooLong
from tests.support.chat_models import END, compiled_answer, compiled_chat
from tests.support.compiled import compiled_tiny

HELLO = [ChatMessage("user", "hello")]
ANSWER = "Yes, café🎉"
GREEDY = ChatOptions(max_tokens=64, temperature=0)


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> ChatModel:
    """A model that writes `ANSWER`."""
    return ChatModel(compiled_answer(tmp_path_factory.mktemp("chat") / "model", ANSWER))


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> ChatModel:
    """A model that goes on and on."""
    return ChatModel(compiled_chat(tmp_path_factory.mktemp("chat") / "model"), at_once=2)


def answer_of(model: ChatModel, options: ChatOptions) -> tuple[list[str], ChatEnd]:
    pieces: list[str] = []

    def write(piece: str) -> bool:
        pieces.append(piece)
        return False

    end = model.answer(HELLO, options, write)
    return [piece for piece in pieces if piece], end


def test_the_answer_comes_character_by_character_and_ends_with_stop(scripted: ChatModel) -> None:
    pieces, end = answer_of(scripted, GREEDY)
    assert pieces == list(ANSWER)
    assert (end.reason, end.answer_tokens) == ("stop", len(ANSWER.encode()) + 1)
    assert end.prompt_tokens > len("hello")


def test_an_answer_that_is_cut_ends_with_length_and_no_half_character(scripted: ChatModel) -> None:
    pieces, end = answer_of(scripted, ChatOptions(max_tokens=len(b"Yes, caf") + 1, temperature=0))
    assert "".join(pieces) == "Yes, caf�"
    assert (end.reason, end.answer_tokens) == ("length", 9)


def test_an_end_token_that_is_the_last_allowed_one_ends_with_stop(scripted: ChatModel) -> None:
    _, end = answer_of(scripted, ChatOptions(max_tokens=len(ANSWER.encode()) + 1, temperature=0))
    assert end.reason == "stop"


def test_a_stop_string_across_tokens_ends_the_answer_before_it(scripted: ChatModel) -> None:
    pieces, end = answer_of(scripted, ChatOptions(max_tokens=64, temperature=0, stop=("nothing", "é🎉")))
    assert "".join(pieces) == "Yes, caf"
    assert end.reason == "stop"


def test_both_end_tokens_of_qwen3_end_an_answer_and_are_no_text(tmp_path: Path) -> None:
    pieces, end = answer_of(ChatModel(compiled_answer(tmp_path / "model", "ok", then="<|endoftext|>")), GREEDY)
    assert ("".join(pieces), end.reason, end.answer_tokens) == ("ok", "stop", 3)


def test_an_answer_never_contains_another_control_token(tmp_path: Path) -> None:
    model = ChatModel(compiled_answer(tmp_path / "model", "ok", then="<|im_start|>"))
    pieces, _ = answer_of(model, ChatOptions(max_tokens=8, temperature=0))
    assert "".join(pieces).startswith("ok")
    assert "im_start" not in "".join(pieces)
    for _ in range(5):
        pieces, _ = answer_of(model, ChatOptions(max_tokens=40, temperature=2))
        assert END not in "".join(pieces)


def test_temperature_0_always_writes_the_same_and_a_high_one_does_not(random: ChatModel) -> None:
    assert answer_of(random, GREEDY) == answer_of(random, GREEDY)
    hot = ChatOptions(max_tokens=32, temperature=2)
    assert answer_of(random, hot) != answer_of(random, hot)


@pytest.mark.parametrize(
    "options",
    [ChatOptions(32, top_p=1e-6), ChatOptions(32, top_p=0), ChatOptions(32, 1e-45), ChatOptions(32, 5e-4)],
    ids=["tiny top_p", "top_p 0", "tiny temperature", "low temperature"],
)
def test_what_leaves_the_most_probable_token_only_writes_as_temperature_0_does(
    random: ChatModel, options: ChatOptions
) -> None:
    assert answer_of(random, options) == answer_of(random, ChatOptions(32, temperature=0))


def test_a_caller_that_wants_no_more_ends_the_answer_at_once(random: ChatModel) -> None:
    steps = itertools.count(1)
    end = random.answer(HELLO, ChatOptions(max_tokens=1000, temperature=0), lambda _: next(steps) == 3)
    assert end.answer_tokens == 3


def test_a_conversation_that_is_too_long_is_refused_before_the_model_reads_it(scripted: ChatModel) -> None:
    with pytest.raises(PromptTooLong, match=r"tokens, at most 4096 are allowed: shorten it - at `\$.messages`"):
        scripted.answer([ChatMessage("user", "a" * 5000)], GREEDY, lambda _: False)


def test_a_caller_that_fails_gets_an_error_and_the_model_goes_on(scripted: ChatModel) -> None:
    def fail(_: str) -> bool:
        raise RuntimeError("the client's loop is closed")

    with pytest.raises(EngineFailed, match="loop is closed"):
        scripted.answer(HELLO, GREEDY, fail)
    assert "".join(answer_of(scripted, GREEDY)[0]) == ANSWER


def test_a_model_that_only_judges_says_which_model_to_compile(tmp_path: Path) -> None:
    with pytest.raises(CannotChat, match="judges queries and cannot chat: compile a Qwen3 model"):
        ChatModel(compiled_tiny(tmp_path / "model", "embedded"))
