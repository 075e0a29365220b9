"""The account book: what followers spent."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass

# A follower of an account, as AppID and OpenID: an OpenID means something to its account only.
Owner = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    """One line of the account book."""

    key: str
    item: str
    yuan: int
    total: int  # of the owner, this entry included


class Ledger:
    """Remembers in memory. In earnest it would be a table with a unique index on owner and key, which several
    processes share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: defaultdict[Owner, list[Entry]] = defaultdict(list)

    def record(self, owner: Owner, key: str, item: str, yuan: int) -> Entry:
        """Writes an entry down and returns it with its total. An entry whose key is there already is the same
        message asked about again, and what was written then is returned."""
        with self._lock:
            entry = self._next(owner, key, item, yuan)
            if entry not in self._entries[owner]:
                self._entries[owner].append(entry)
            return entry

    def preview(self, owner: Owner, key: str, item: str, yuan: int) -> Entry:
        """Returns what record would, and writes nothing."""
        with self._lock:
            return self._next(owner, key, item, yuan)

    def _next(self, owner: Owner, key: str, item: str, yuan: int) -> Entry:
        entries = self._entries.get(owner, [])
        for earlier in entries:
            if earlier.key == key:
                return earlier
        return Entry(key, item, yuan, sum(e.yuan for e in entries) + yuan)

    def total(self, owner: Owner) -> tuple[int, int]:
        """Returns how many entries the owner has, and their sum."""
        with self._lock:
            entries = self._entries.get(owner, [])
            return len(entries), sum(e.yuan for e in entries)
