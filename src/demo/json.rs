//! A line of JSON under construction. Texts come in escaped; nothing here escapes.

use super::random::Random;

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE62: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes with the pieces that log lines are made of.
#[derive(Debug, Default, Clone)]
pub(super) struct Json(pub(super) Vec<u8>);

impl Json {
    pub(super) fn put(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn number(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[at..]);
        self
    }

    /// `2026-11-23T12:00:00.000Z`.
    pub(super) fn time(&mut self, us: i64) -> &mut Self {
        self.0.extend_from_slice(&time(us));
        self
    }
}

/// RFC 3339 with milliseconds: 24 bytes, always.
pub(super) fn time(us: i64) -> [u8; 24] {
    let ms = us.div_euclid(1000);
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let mut out = *b"0000-00-00T00:00:00.000Z";
    let mut put = |at: usize, width: usize, mut value: i64| {
        for i in (at..at + width).rev() {
            out[i] = b'0' + u8::try_from(value % 10).unwrap_or(0);
            value /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, in_day / 3_600_000);
    put(14, 2, in_day / 60_000 % 60);
    put(17, 2, in_day / 1000 % 60);
    put(20, 3, in_day % 1000);
    out
}

/// Year, month and day of a day since 1970 (Howard Hinnant's `civil_from_days`).
const fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + (month <= 2) as i64, month, day)
}

/// `len` characters of `BASE62` after `prefix`: ids of messages, requests and tool calls.
pub(super) fn token(random: &mut Random, prefix: &str, len: usize) -> String {
    let mut out = String::with_capacity(prefix.len() + len);
    out.push_str(prefix);
    out.extend((0..len).map(|_| char::from(*random.pick(BASE62))));
    out
}

/// `len` bytes that no compressor shortens much: signatures, encrypted reasoning.
pub(super) fn noise(random: &mut Random, len: usize, out: &mut Vec<u8>) {
    let end = out.len() + len;
    while out.len() < end {
        let mut r = random.next();
        for _ in 0..10.min(end - out.len()) {
            out.push(BASE64[usize::from((r & 63) as u8)]);
            r >>= 6;
        }
    }
}

/// A UUID of version 4.
pub(super) fn uuid(random: &mut Random) -> String {
    uuid_of(random.next() & !0xf000 | 0x4000, random.next())
}

/// A UUID of version 7: its first 48 bits are milliseconds since 1970.
pub(super) fn uuid_v7(random: &mut Random, us: i64) -> String {
    let high = ((us / 1000).cast_unsigned() << 16) | 0x7000 | random.below(1 << 12);
    uuid_of(high, random.next())
}

fn uuid_of(high: u64, low: u64) -> String {
    let low = low & !(3 << 62) | (2 << 62);
    let mut out = String::with_capacity(36);
    for (i, byte) in high.to_be_bytes().into_iter().chain(low.to_be_bytes()).enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        for (us, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_123_000, "2000-02-29T00:00:00.123Z"),
            (1_795_435_199_999_000, "2026-11-23T11:59:59.999Z"),
        ] {
            assert_eq!(std::str::from_utf8(&time(us)).unwrap(), text);
        }
    }

    #[test]
    fn uuids_carry_version_variant_and_time() {
        let mut random = Random::new(1);
        let v4 = uuid(&mut random);
        assert_eq!((v4.len(), v4.get(14..15)), (36, Some("4")));
        let v7 = uuid_v7(&mut random, 1_795_435_200_000_000);
        assert_eq!((v7.get(..13), v7.get(14..15)), (Some("01a20846-fe00"), Some("7")));
        assert!(matches!(v7.get(19..20), Some("8" | "9" | "a" | "b")));
    }
}
