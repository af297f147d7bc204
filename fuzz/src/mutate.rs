//! Bends one input into another: the few ways that find most mistakes of parsers.

/// The longest input that is made. Parsers are linear; larger ones only make fewer of them.
const INPUT_BYTES_MAX: usize = 1 << 20;

/// Numbers at which lengths and counts go wrong.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// What text formats trip over.
const TOKENS: [&str; 28] = [
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "\u{1b}[",
    "\\u0000",
    "../",
    "null",
    "-1",
    "1e999",
    "99999999999999999999",
    "=",
    "==",
    "~",
    "${",
    "<!--",
    "&a",
    "*a",
    "|",
    "\t",
];

/// Deterministic randomness (xorshift64*): the same seed, the same inputs.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, 0 when there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() >> 11) as usize % end }
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// A new input made from one or two of `seeds`, which must not be empty.
pub(crate) fn mutate(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(seeds).clone();
    // Mostly few changes: an input that breaks every rule is refused by the first.
    for _ in 0..1 << random.below(5) {
        step(&mut bytes, seeds, random);
    }
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}

fn step(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len());
    match random.below(11) {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
        1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.below(256) as u8),
        2 => overwrite(bytes, at, &edge(random)),
        3 => insert(bytes, at, &edge(random)),
        4 => insert(bytes, at, random.pick(&TOKENS).as_bytes()),
        5 => bytes.truncate(at),
        6 => drop(bytes.drain(range(bytes, at, random))),
        7 => {
            let copied = bytes[range(bytes, at, random)].to_vec();
            let to = random.below(bytes.len());
            if random.below(2) == 0 { insert(bytes, to, &copied) } else { overwrite(bytes, to, &copied) }
        }
        // The same again and again: nesting, long lists, long names.
        8 => {
            let end = (at + 1 + random.below(12)).min(bytes.len());
            let copied = bytes[at.min(end)..end].repeat(1 << random.below(14));
            insert(bytes, at, &copied);
        }
        9 => {
            let other = random.pick(seeds);
            let from = random.below(other.len());
            let part = other[range(other, from, random)].to_vec();
            insert(bytes, at, &part);
        }
        _ => line(bytes, random),
    }
}

/// Swaps, drops or repeats a line.
fn line(bytes: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    if lines.len() < 2 {
        return;
    }
    let (a, b) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(3) {
        0 => lines.swap(a, b),
        1 => drop(lines.remove(a)),
        _ => lines.insert(b, lines[a]),
    }
    *bytes = lines.concat();
}

fn edge(random: &mut Random) -> Vec<u8> {
    let number = random.pick(&EDGES).wrapping_add(random.below(3) as u64).wrapping_sub(1);
    match random.below(8) {
        0 => vec![number as u8],
        1 => (number as u16).to_le_bytes().to_vec(),
        2 => (number as u16).to_be_bytes().to_vec(),
        3 => (number as u32).to_le_bytes().to_vec(),
        4 => (number as u32).to_be_bytes().to_vec(),
        5 => number.to_le_bytes().to_vec(),
        6 => number.to_be_bytes().to_vec(),
        _ => number.to_string().into_bytes(),
    }
}

fn range(bytes: &[u8], at: usize, random: &mut Random) -> std::ops::Range<usize> {
    let most = if random.below(4) == 0 { bytes.len() } else { 64 };
    let end = (at + random.below(most + 1)).min(bytes.len());
    at.min(end)..end
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() + new.len() <= INPUT_BYTES_MAX {
        bytes.splice(at..at, new.iter().copied());
    }
}

fn overwrite(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes.iter_mut().skip(at).zip(new).for_each(|(byte, &new)| *byte = new);
}
