"""A language model provider on loopback that answers with canned prose, or misbehaves as asked.

It speaks OpenAI's chat-completions dialect over real HTTP. The model's name selects what happens:
any name answers, from a script if there is one; `fault-…` names fail in one exact way each, and tests add models of their own.
"""

from headrace_mock.reply import Chunk, Reply
from headrace_mock.requests import Received
from headrace_mock.script import Script, read_script
from headrace_mock.server import MockLM, Model

__all__ = ["Chunk", "MockLM", "Model", "Received", "Reply", "Script", "read_script"]
