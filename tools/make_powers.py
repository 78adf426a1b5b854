# SPDX-License-Identifier: MIT
"""Prints core/src/json/powers.c: 128 bits of every power of ten a double can need.

Row q holds the leading 128 bits of 5**q, most significant word first. Positive powers are cut
off, and so are negative ones below 5**-27; between 5**-27 and 5**-1 the value is rounded up,
which lets the reader tell exact halves from near ones (Lemire, "Number parsing at a gigabyte
per second", 2021).
"""

FIRST, LAST = -342, 324


def bits(q):
    """The 128 bits for 5**q."""
    power = 5 ** abs(q)
    if q >= 0:
        shift = 128 - power.bit_length()
        return power << shift if shift >= 0 else power >> -shift
    width = (power - 1).bit_length()
    if q >= -27:
        return (1 << (width + 127)) // power + 1
    value = (1 << (2 * width + 128)) // power + 1
    return value >> (value.bit_length() - 128)


def main():
    """Prints the C source."""
    print("/* SPDX-License-Identifier: MIT */")
    print("/* The leading 128 bits of 5^q; made by tools/make_powers.py. */")
    print('#include "json/powers.h"\n')
    print("/* clang-format off */")
    print("const uint64_t tw__powers[TW__POWER_LAST - TW__POWER_FIRST + 1][2] = {")
    for q in range(FIRST, LAST + 1):
        value = bits(q)
        assert value.bit_length() == 128, q
        print(f"    {{0x{value >> 64:016x}u, 0x{value & (2**64 - 1):016x}u}}, /* {q} */")
    print("};")


if __name__ == "__main__":
    main()
