"""Ask a model behind an OpenAI-compatible endpoint, each question once: answers are kept on disk by their content."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_json, to_json, write_json
from scripts.common.progress import Progress
from scripts.judging.judge import Prompt

logger = logging.getLogger(__name__)

CHARACTERS_PER_TOKEN = 4  # of English text, for the estimate of the cost only
OURS = ("max_tokens", "temperature", "stop")  # parameters that some endpoints refuse
APIS = ("chat", "completions")


@dataclasses.dataclass(frozen=True)
class EndpointSettings:
    """Where and how to ask. The key itself is never a setting.

    base_url: address up to `/v1`. model: name the endpoint knows. key_variable: environment variable that holds the
    key; empty = the endpoint asks for none. api: `chat` or `completions` (plain text). temperature: 0 = the likeliest.
    max_tokens: longest answer in tokens, reasoning included; 0 leaves the endpoint's own limit. It is sent as
    `max_completion_tokens` where the endpoint asks for that. parameters: further fields of the request, or others in
    place of the usual ones; null leaves one out, e.g. {"temperature": null} for models that refuse it.
    timeout_s: longest wait for one answer in seconds. attempts: tries per question, the first included. max_wait_s:
    longest pause between two tries in seconds. parallel: questions asked at the same time.
    price_in, price_out: currency units per million tokens read and written, for the estimate in the log.
    """

    base_url: str
    model: str
    key_variable: str
    temperature: float
    max_tokens: int
    timeout_s: float
    attempts: int
    api: str = "chat"
    max_wait_s: float = 60.0
    parallel: int = 4
    price_in: float = 0.0
    price_out: float = 0.0
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise UserError(f"base_url: '{self.base_url}' is not an http(s) address, e.g. https://host/v1")
        if self.api not in APIS:
            raise UserError(f"api: '{self.api}' is not one of {', '.join(APIS)}")
        for name in ("attempts", "parallel"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)} is below 1")
        if not self.timeout_s > 0:
            raise UserError(f"timeout_s: {self.timeout_s} is not above 0")
        if not self.model:
            raise UserError("model: no name given; set the one the endpoint knows")


class EndpointWriter:
    """A `Writer` over an endpoint, with answers cached in a folder.

    An answer without text (a reasoning model that used up its tokens) is the empty text: counted, said, and kept.

    Raises `UserError` where asking again cannot help (key refused, unknown model) or did not help (no connection, limit
    on requests, broken answers); what was answered by then is in the cache, so the next run goes on from there.
    """

    def __init__(
        self, settings: EndpointSettings, cache: PathLike, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.name = settings.model
        self._settings = settings
        self._cache = Path(cache)
        self._sleep = sleep
        self._key = _read_key(settings.key_variable)
        self._client: Any = None
        self._renamed_limit = False

    def write(self, prompts: Sequence[Prompt]) -> list[str]:
        """Return the endpoint's answer to each prompt, in their order; equal prompts are asked once."""
        requests = [self._request(prompt) for prompt in prompts]
        files = [self._file(request) for request in requests]
        missing = {file: request for file, request in zip(files, requests) if not _is_whole(file)}
        if missing:
            self._log_cost(len(set(files)), list(missing.values()))
            self._ask_all(missing)
        rows = {file: read_json(file) for file in dict.fromkeys(files)}
        self._warn_of_lost(list(rows.values()))
        return [rows[file]["answer"] for file in files]

    def _warn_of_lost(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Say how many different questions got no text, or a text cut at the limit, and which limit to raise."""
        silent = [row for row in rows if not row["answer"].strip()]
        cut = [row for row in rows if row["answer"].strip() and row.get("finish") == "length"]
        limit = "max_completion_tokens" if "max_completion_tokens" in self._settings.parameters else "max_new_tokens"
        remedy = f"raise {limit} (now {self._settings.parameters.get(limit) or self._settings.max_tokens or 'unset'})"
        if silent:
            used_up = sum(row.get("finish") == "length" for row in silent)
            logger.warning(
                "%d of %d answers of %s hold no text and count as unreadable, %d of them used up their tokens: %s",
                len(silent),
                len(rows),
                self.name,
                used_up,
                remedy if used_up else "the endpoint gave no reason",
            )
        if cut:
            logger.warning("%d of %d answers of %s are cut at the limit: %s", len(cut), len(rows), self.name, remedy)

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._settings.model, "temperature": self._settings.temperature}
        if self._settings.max_tokens and "max_completion_tokens" not in self._settings.parameters:
            body["max_tokens"] = self._settings.max_tokens
        if self._settings.api == "chat":
            system = [{"role": "system", "content": prompt.system}] if prompt.system else []
            body["messages"] = [*system, {"role": "user", "content": prompt.user}]
        else:
            body["prompt"] = f"{prompt.system}\n\n{prompt.user}" if prompt.system else prompt.user
        return {key: value for key, value in {**body, **self._settings.parameters}.items() if value is not None}

    def _file(self, request: Mapping[str, Any]) -> Path:
        content = to_json({"base_url": self._settings.base_url, "api": self._settings.api, "request": request})
        name = hashlib.sha256(content.encode()).hexdigest()
        return self._cache / name[:2] / f"{name}.json"

    def _log_cost(self, n_all: int, requests: Sequence[Mapping[str, Any]]) -> None:
        """Say beforehand what asking will cost."""
        settings = self._settings
        read = sum(len(to_json(one.get("messages", one.get("prompt")))) for one in requests) // CHARACTERS_PER_TOKEN
        written = len(requests) * settings.max_tokens
        cost = (read * settings.price_in + written * settings.price_out) / 1e6
        logger.info(
            "asking %s at %s: %d calls (%d of %d are cached), about %d tokens to read, at most %s to write%s",
            settings.model,
            settings.base_url,
            len(requests),
            n_all - len(requests),
            n_all,
            read,
            written or "the endpoint's limit",
            f", about {cost:.2f} at most" if cost else "",
        )

    def _ask_all(self, missing: Mapping[Path, Mapping[str, Any]]) -> None:
        """Ask what is not cached and cache each answer at once; the first fault that stays ends the run."""
        with self._connect() as self._client, ThreadPoolExecutor(self._settings.parallel) as pool:
            tasks = [pool.submit(self._ask_and_keep, file, request) for file, request in missing.items()]
            try:
                with Progress(len(tasks), "answers") as progress:
                    for task in tasks:
                        task.result()
                        progress.advance()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _ask_and_keep(self, file: Path, request: Mapping[str, Any]) -> None:
        answer, finish = self._ask(request)
        row = {"request": dict(request), "answer": answer, "finish": finish}
        write_json(file, {**row, "sha256": _sum_of(row)})

    def _ask(self, request: Mapping[str, Any]) -> tuple[str, str]:
        """Return one answer and why it ended.

        Faults that may pass are asked again after growing pauses, or those that the endpoint asks for.
        """
        import openai
        import tenacity

        grow = tenacity.wait_exponential_jitter(initial=1.0, max=self._settings.max_wait_s)

        def pause(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = _retry_after(error)
            seconds = min(asked, self._settings.max_wait_s) if asked is not None else grow(state)
            logger.info("%s; asking again in %.1f s", self._fault(error), seconds)
            return seconds

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._settings.attempts),
            wait=pause,
            retry=tenacity.retry_if_exception(_may_pass),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask_once, request)
        except (openai.OpenAIError, BrokenAnswer) as error:
            raise UserError(f"judge endpoint {self._settings.base_url}: {self._fault(error)}") from None

    def _ask_once(self, request: Mapping[str, Any]) -> tuple[str, str]:
        import openai

        body = dict(request)
        if self._renamed_limit and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        try:
            if self._settings.api == "chat":
                messages = body.pop("messages")
                answer = self._client.chat.completions.create(
                    model=body.pop("model"), messages=messages, extra_body=body
                )
                choice = answer.choices[0]
                text = _text_of(choice.message.content)
            else:
                prompt = body.pop("prompt")
                answer = self._client.completions.create(model=body.pop("model"), prompt=prompt, extra_body=body)
                choice = answer.choices[0]
                text = _text_of(choice.text)
        except openai.BadRequestError as error:
            named = _refused_parameter(error) == "max_tokens" and "max_completion_tokens" in self._detail(error)
            if not named or "max_tokens" not in body:
                raise
            self._renamed_limit = True  # from now on, for all questions
            return self._ask_once(request)
        except openai.OpenAIError:
            raise
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise BrokenAnswer(f"{type(error).__name__}") from None
        return text, str(getattr(choice, "finish_reason", None) or "")

    def _connect(self) -> Any:
        import openai

        for name in ("httpx", "httpx2"):
            logging.getLogger(name).setLevel(logging.WARNING)  # one line per request otherwise
        return openai.OpenAI(
            base_url=self._settings.base_url,
            api_key=self._key or "none",
            timeout=self._settings.timeout_s,
            max_retries=0,  # tenacity does it, so that pauses are bounded, logged and testable
        )

    def _detail(self, error: BaseException | None) -> str:
        """Return what the endpoint itself said, the key struck out before the text is cut."""
        body, response = getattr(error, "body", None), getattr(error, "response", None)
        said = body.get("message") if isinstance(body, dict) else None
        text = str(said or (response.text if response is not None else error))
        if self._key:
            text = text.replace(self._key, "***")
        return " ".join(text.split())[:200]

    def _fault(self, error: BaseException | None) -> str:
        """Describe a fault in one line with its remedy and without the key, which some endpoints echo."""
        import openai

        settings = self._settings
        detail = self._detail(error)
        if isinstance(error, openai.AuthenticationError):
            where = f"in ${settings.key_variable}" if settings.key_variable else "(none was sent: set key_variable)"
            return f"it refused the key {where} (401); check the key"
        if isinstance(error, openai.PermissionDeniedError):
            return f"the key may not use model '{settings.model}' (403); check the account: {detail}"
        if isinstance(error, openai.NotFoundError):
            return f"it knows no model '{settings.model}', or base_url lacks /v1 (404); check both: {detail}"
        if isinstance(error, openai.RateLimitError):
            remedy = "lower parallel, raise attempts or check the account"
            return f"too many requests or no quota left (429); {remedy}: {detail}"
        if isinstance(error, openai.APITimeoutError):
            return f"no answer within {settings.timeout_s:g} s; raise timeout_s or check the endpoint"
        if isinstance(error, openai.APIConnectionError):
            return "no connection; check base_url and that the server runs"
        if isinstance(error, openai.InternalServerError):
            return f"it failed ({error.status_code}); try again later: {detail}"
        refused = _refused_parameter(error)
        if refused:
            remedy = f'{{"{refused}": null}} in parameters leaves it out'
            return f"it refused parameter '{refused}' ({error.status_code}); {remedy}: {detail}"
        if isinstance(error, openai.APIStatusError):
            return f"it refused the request ({error.status_code}); check model and parameters: {detail}"
        return f"its answer is not that of an OpenAI-compatible server ({detail}); check base_url"


def _text_of(content: Any) -> str:
    """Return a message's text: "" for none at all, of a list of parts those that are text; else `BrokenAnswer`."""
    if content is None:
        return ""
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else getattr(part, "text", None) for part in content]
        return "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str):
        raise BrokenAnswer(f"{type(content).__name__} instead of text")
    return content


def _refused_parameter(error: BaseException | None) -> str:
    """Return the parameter of a request that the endpoint refuses (400, 422), "" where it does not name one of ours."""
    import openai

    if not isinstance(error, (openai.BadRequestError, openai.UnprocessableEntityError)):
        return ""
    body = error.body if isinstance(error.body, dict) else {}
    told = str(body.get("message") or error)
    unsupported = "unsupported" in f"{body.get('code')} {told}".lower() or "not support" in told.lower()
    named = [name for name in OURS if body.get("param") == name or re.search(rf"\b{name}\b", told)]
    return named[0] if named and unsupported else ""


def _sum_of(row: Mapping[str, Any]) -> str:
    kept = {key: row[key] for key in ("request", "answer", *(["finish"] if "finish" in row else []))}
    return hashlib.sha256(to_json(kept).encode()).hexdigest()


def _is_whole(file: Path) -> bool:
    """Return whether an answer is in the cache as it was put there; a damaged one is asked for again."""
    if not file.is_file():
        return False
    try:
        row = read_json(file)
        if row["sha256"] == _sum_of(row):
            return True
    except (UserError, KeyError, TypeError):
        pass
    logger.warning("%s: damaged answer in the cache; asking again", file)
    return False


class BrokenAnswer(Exception):
    """The endpoint answered something that is no completion."""


def _may_pass(error: BaseException) -> bool:
    """Return whether asking again may help."""
    import openai

    if isinstance(error, openai.RateLimitError):
        return error.code != "insufficient_quota"
    passing = (openai.APIConnectionError, openai.InternalServerError, openai.ConflictError)
    return isinstance(error, (*passing, openai.APIResponseValidationError, BrokenAnswer)) or (
        isinstance(error, openai.APIStatusError) and error.status_code == 408
    )


def _retry_after(error: BaseException | None) -> float | None:
    """Return the pause in seconds that an answer's Retry-After header asks for, if it has one in seconds."""
    response = getattr(error, "response", None)
    value = response.headers.get("retry-after") if response is not None else None
    try:
        return max(0.0, float(value)) if value is not None else None
    except ValueError:
        return None


def _read_key(variable: str) -> str:
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise UserError(f"key_variable: the environment has no {variable}; export it with the endpoint's key")
    return key
