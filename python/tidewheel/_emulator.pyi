# SPDX-License-Identifier: MIT
# The C module behind tidewheel.Emulator.
from typing import final

from typing_extensions import Buffer

@final
class Emulator:
    def __new__(
        cls,
        *,
        store: str | None = None,
        api_key: str | None = None,
        secret_key: str | None = None,
        app_id: int = 0,
        seed: str | None = None,
        listen: str | None = None,
        time_zone: str | None = None,
        mcp_token: str | None = None,
    ) -> Emulator: ...
    def control(self, method: str, path: str, body: Buffer = b"", /) -> tuple[int, bytes]: ...
    def close(self) -> None: ...
    @property
    def url(self) -> str: ...
    @property
    def control_url(self) -> str: ...
    @property
    def control_token(self) -> str: ...
    @property
    def storage_url(self) -> str: ...
    @property
    def api_key(self) -> str: ...
    @property
    def secret_key(self) -> str: ...
    @property
    def mcp_token(self) -> str: ...
    @property
    def app_id(self) -> int: ...
    @property
    def closed(self) -> bool: ...
