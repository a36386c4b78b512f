#!/usr/bin/env python3
"""Lines with delay and loss between network namespaces, where the kernel has no `tc netem`.

    links.py DELAY_MS LOSS NAMESPACE=DEVICE=ADDRESS...

Opens one TUN device in each namespace (made before with `ip tuntap add`), and carries every IPv4 packet to the namespace
whose address it is for, DELAY_MS later, or not at all with the chance LOSS. Prints "ready" when it does. What netem's
`delay` and `loss` do to what leaves a device, this does to what leaves a namespace.
"""

import collections
import ctypes
import fcntl
import os
import random
import select
import socket
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
CLONE_NEWNET = 0x40000000


def open_tun(namespace, device):
    """A TUN device belongs to the namespace of whoever opens it, so this process steps into each once."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def main():
    delay, loss = float(sys.argv[1]) / 1000, float(sys.argv[2])
    chance = random.Random(7)
    by_address = {}
    poll = select.epoll()
    for spec in sys.argv[3:]:
        namespace, device, address = spec.split("=")
        fd = open_tun(namespace, device)
        by_address[socket.inet_aton(address)] = fd
        poll.register(fd, select.EPOLLIN)
    print("ready", flush=True)
    waiting = collections.deque()
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, fd, packet = waiting.popleft()
            try:
                os.write(fd, packet)
            except (BlockingIOError, OSError):
                pass  # a full device drops, as a line does
        wait = max(waiting[0][0] - now, 0) if waiting else -1
        for fd, _ in poll.poll(wait):
            for _ in range(64):
                try:
                    packet = os.read(fd, 2048)
                except BlockingIOError:
                    break
                to = by_address.get(packet[16:20])
                if to is not None and chance.random() >= loss:
                    waiting.append((time.monotonic() + delay, to, packet))


if __name__ == "__main__":
    main()
