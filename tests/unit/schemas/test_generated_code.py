"""Code that generators make from the schemas reads the events that the documentation shows, and writes them again."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import orjson
import pytest
from datamodel_code_generator import generate
from datamodel_code_generator.enums import DataModelType, InputFileType
from datamodel_code_generator.format import Formatter

from sluicegate.schemas.topics import TOPICS
from tests.support.markdown import blocks_of
from tests.support.node import TOOLS, node_modules

ROOT = Path(__file__).parents[3]
SCHEMAS = {name: ROOT / "schemas" / "json" / f"{name}.schema.json" for name in TOPICS}
SHOWN = [
    (comment.removeprefix("event: "), block.text)
    for block in blocks_of(ROOT / "README.md")
    if (comment := block.comment or "").startswith("event: ")
]


def title(name: str) -> str:
    return TOPICS[name].event.__name__


@pytest.mark.parametrize("name", TOPICS)
def test_datamodel_code_generator_makes_pydantic_models_with_a_description_of_every_field(
    name: str, tmp_path: Path
) -> None:
    code = tmp_path / f"generated_{name}.py"
    generate(
        SCHEMAS[name],
        output=code,
        input_file_type=InputFileType.JsonSchema,
        output_model_type=DataModelType.PydanticV2BaseModel,
        formatters=[Formatter.BUILTIN],
    )
    spec = spec_from_file_location(code.stem, code)
    assert spec
    assert spec.loader
    module = sys.modules[code.stem] = module_from_spec(spec)
    spec.loader.exec_module(module)
    model: Any = getattr(module, title(name))
    assert [field for field, of in model.model_fields.items() if not of.description] == []
    for text in (text for shown, text in SHOWN if shown == name):
        event = model.model_validate_json(text)
        assert orjson.loads(event.model_dump_json(by_alias=True, exclude_unset=True)) == orjson.loads(text)


READ_AGAIN = """
const generated = require(process.argv[1]);
const { deepStrictEqual } = require("node:assert");
const shown = JSON.parse(require("node:fs").readFileSync(0));
const inMilliseconds = (_, of) => /^\\d{4}-.*Z$/.test(of) ? new Date(of).toISOString() : of;  // as far as a Date goes
for (const [type, text] of shown) {
  const event = generated["to" + type](text);
  const again = generated[type[0].toLowerCase() + type.slice(1) + "ToJson"](event);
  deepStrictEqual(JSON.parse(again), JSON.parse(text, inMilliseconds));
}
console.log(shown.length);
"""


def test_quicktype_makes_types_that_check_an_event_as_they_read_it(tmp_path: Path) -> None:
    quicktype = node_modules(TOOLS) / ".bin" / "quicktype"
    code = tmp_path / "events.js"
    options = ("--src-lang", "schema", "--lang", "javascript", "--out", code)
    subprocess.run([quicktype, *options, *SCHEMAS.values()], check=True, timeout=120)
    generated = code.read_text()
    assert [name for name in TOPICS if f'"to{title(name)}"' not in generated] == []
    shown = orjson.dumps([(title(name), text) for name, text in SHOWN])
    read = subprocess.run(
        ["node", "--eval", READ_AGAIN, code], input=shown, capture_output=True, timeout=60, check=False
    )
    assert read.returncode == 0, read.stderr.decode()
    assert int(read.stdout) == len(SHOWN)
