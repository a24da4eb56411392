"""Places outside that do not do what they should: they hang, trickle, refuse or answer nonsense. On loopback."""

import socket
import threading
import time

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"
AWAY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ANSWERS = {"nonsense": JSON + b"{nonsense", "other": JSON + b"[1, 2, 3]", "away": AWAY}


class Place:
    """A listening port: `hangs`, `trickles` a byte a second, `drops` every connection, or gives one of ANSWERS."""

    def __init__(self, kind):
        self.kind, self.asked = kind, 0
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._take, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._over.set()
        self._listener.close()

    def _take(self):
        while not self._over.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line):
        with line:
            try:
                line.recv(65536)
                if self.kind == "hangs":
                    self._over.wait()
                elif self.kind == "trickles":
                    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n")
                    while not self._over.wait(1):
                        line.sendall(b" ")
                elif self.kind != "drops":
                    line.sendall(ANSWERS[self.kind])
                    time.sleep(0.05)
            except OSError:
                return
