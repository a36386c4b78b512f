#!/usr/bin/env python3
"""One TCP stream, to compare with: `stream.py serve PORT MIB` sends to whoever connects, `stream.py take HOST PORT`
takes all of it and prints MiB/s."""

import socket
import sys
import time


def main():
    if sys.argv[1] == "serve":
        server = socket.create_server(("0.0.0.0", int(sys.argv[2])))
        block = bytes(1 << 20)
        while True:
            client, _ = server.accept()
            with client:
                for _ in range(int(sys.argv[3])):
                    client.sendall(block)
    begun, taken = time.monotonic(), 0
    with socket.create_connection((sys.argv[2], int(sys.argv[3]))) as stream:
        while block := stream.recv(1 << 16):
            taken += len(block)
    print(f"{taken / (1 << 20) / (time.monotonic() - begun):.2f}")


if __name__ == "__main__":
    main()
