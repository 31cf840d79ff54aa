"""Headers, read bit by bit."""


class Bits:
    """Reads numbers from the most significant bit on.

    Raises:
        ValueError: there are no more.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """The next `count` bits as a number."""
        self._left -= count
        if self._left < 0:
            raise ValueError("the header is cut off")
        return self._value >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """The next Exp-Golomb code as a number. Signed ones count 0, 1, -1, 2, -2, …"""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
