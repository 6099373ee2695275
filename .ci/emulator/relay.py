"""Forwards connections at an address to the emulator on the loopback address.

    python .ci/emulator/relay.py ADDRESS PORT
"""

import socket
import socketserver
import sys
import threading

address, port = sys.argv[1], int(sys.argv[2])


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Relay(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection(("127.0.0.1", port)) as emulator:
            back = threading.Thread(target=copy, args=(emulator, self.request))
            back.start()
            copy(self.request, emulator)
            back.join()


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server((address, port), Relay).serve_forever()
