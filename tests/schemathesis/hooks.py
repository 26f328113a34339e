"""What schemathesis cannot know of the API: who is asking, what would end the run, and how generously bodies are read."""

import json
import os
import urllib.error
import urllib.request

import jsonschema_rs
import schemathesis

ORIGIN = os.environ["ORIGIN"]
PASSWORD = os.environ["PASSWORD"]


def sign_in(name):
    body = json.dumps({"username": name, "password": PASSWORD}).encode()
    asked = urllib.request.Request(f"{ORIGIN}/api/token/", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)["access"]


def is_good(token):
    asked = urllib.request.Request(f"{ORIGIN}/api/hello/", headers={"Authorization": f"Bearer {token}"})
    try:
        return urllib.request.urlopen(asked).status == 200
    except urllib.error.HTTPError:
        return False


ROOT = sign_in("root")


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """A superuser; and where sessions of the caller end, another one, who signs in again when that was the present one."""

    spare = ""

    def get(self, case, context):
        if "/sessions/" not in case.operation.path and not case.operation.path.endswith("/logout/all/"):
            return ROOT
        if not is_good(self.spare):
            self.spare = sign_in("spare")
        return self.spare

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def filter_case(context, case):
    """The two superusers stay as they are: with another password the run would be signed out."""
    return not (case.operation.path.endswith("/users/{id}/") and str(case.path_parameters.get("id")) in ("1", "2"))


@schemathesis.hook
def before_call(context, case, **kwargs):
    """A form has no word for null: an empty field says it."""
    if case.media_type != "application/json" and isinstance(case.body, dict):
        case.body = {name: "" if value is None else value for name, value in case.body.items()}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Bodies and queries are read as DRF reads them: numbers as text, words as booleans, an empty form field as none. The
    document says what to send, which is less. What it does not allow and the server takes is no fault if it is that."""
    if failure.code == "ST201":
        return not is_read_generously(case)
    # No header of a part can hold a control character (RFC 7578 §4.2), so no field with such a name can be sent.
    if failure.code == "ST202" and case.media_type == "multipart/form-data" and isinstance(case.body, dict):
        return all(name.isprintable() for name in case.body)
    return True


def is_read_generously(case):
    raw = case.operation.schema.raw_schema
    told = raw["paths"][case.operation.path][case.method.lower()]
    for parameter in told.get("parameters", []):
        if parameter["in"] == "query" and parameter["name"] in (case.query or {}):
            value = case.query[parameter["name"]]
            value = value[-1] if isinstance(value, list) and value else value
            # an empty parameter says nothing, and a filter by yes or no passes over any other word
            if value in ("", None, []) or parameter["schema"].get("type") == "boolean":
                continue
            if not fits(raw, parameter["schema"], str(value)):
                return False
    content = told.get("requestBody", {}).get("content", {}).get(case.media_type)
    return content is None or fits(raw, content["schema"], case.body, case.media_type != "application/json")


def fits(raw, schema, value, is_form=False):
    schema = resolve(raw, schema)
    if "anyOf" in schema:
        return any(fits(raw, one, value, is_form) for one in schema["anyOf"])
    if isinstance(value, dict):
        known, required = schema.get("properties", {}), schema.get("required", [])
        # an empty field of a form says nothing, if it may be missing
        said = {name: one for name, one in value.items() if not (is_form and one in ("", None, []) and name not in required)}
        value = {name: read(known.get(name, {}), one, is_form) for name, one in said.items()}
    else:
        value = read(schema, value, is_form)
    return jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(value)


def resolve(raw, schema):
    for step in schema.get("$ref", "").lstrip("#/").split("/"):
        raw = raw[step] if step else schema
    return raw


def read(schema, value, is_form):
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if is_form and "array" in kinds:
        return [str(item) for item in (value if isinstance(value, list) else [value]) if item not in ("", None)]
    if is_form:
        value = value[-1] if isinstance(value, list) and value else value
        value = value if isinstance(value, str) else json.dumps(value)
        if value == "" and "null" in kinds:
            return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and "string" in kinds:
        return str(value)
    if "integer" in kinds and isinstance(value, str):
        try:
            return int(float(value))
        except (ValueError, OverflowError):
            return value
    if "boolean" in kinds and not isinstance(value, bool):
        word = str(value).lower()
        if "null" in kinds and word in ("", "null"):
            return None
        if word in ("t", "y", "yes", "true", "on", "1", "1.0"):
            return True
        if word in ("f", "n", "no", "false", "off", "0", "0.0"):
            return False
    return value
