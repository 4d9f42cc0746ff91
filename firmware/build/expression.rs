//! The arithmetic of linker scripts, as far as a memory map needs it: `2048K - 0x100`, `(1M + 16K) / 2`, `LENGTH(FLASH) * 2`.

/// What an expression may refer to: the value of `ORIGIN(name)` or `LENGTH(name)`, where the map says it.
pub trait Symbols {
    /// The value of `function(region)`.
    fn value(&self, function: &str, region: &str) -> Result<u64, String>;
}

/// The value of an expression.
pub fn value(text: &str, symbols: &dyn Symbols) -> Result<u64, String> {
    let mut parser = Parser { rest: text.trim(), symbols };
    let value = parser.sum()?;
    if parser.rest.is_empty() { Ok(value) } else { Err(parser.refuse()) }
}

struct Parser<'a> {
    rest: &'a str,
    symbols: &'a dyn Symbols,
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<u64, String> {
        let mut value = self.product()?;
        loop {
            let result = if self.takes('+') {
                value.checked_add(self.product()?)
            } else if self.takes('-') {
                value.checked_sub(self.product()?)
            } else {
                return Ok(value);
            };
            value = result.ok_or("a length is negative or too large")?;
        }
    }

    fn product(&mut self) -> Result<u64, String> {
        let mut value = self.term()?;
        loop {
            let result = if self.takes('*') {
                value.checked_mul(self.term()?)
            } else if self.takes('/') {
                value.checked_div(self.term()?)
            } else {
                return Ok(value);
            };
            value = result.ok_or("a length is too large or divided by zero")?;
        }
    }

    fn term(&mut self) -> Result<u64, String> {
        if self.takes('(') {
            let value = self.sum()?;
            return if self.takes(')') { Ok(value) } else { Err(self.refuse()) };
        }
        let word = self.word();
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            return number(word).ok_or_else(|| format!("`{word}` is no number: write 65536, 0x10000, 64K or 1M"));
        }
        if !word.is_empty() && self.takes('(') {
            let region = self.word();
            if self.takes(')') {
                return self.symbols.value(word, region);
            }
        }
        Err(self.refuse())
    }

    /// The letters, digits and underscores that come next.
    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }

    fn takes(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.map_or(self.rest, str::trim_start);
        rest.is_some()
    }

    fn refuse(&self) -> String {
        let rest = if self.rest.is_empty() { "the end" } else { self.rest };
        format!(
            "cannot read `{rest}`: write a number (65536, 0x10000, 64K, 1M), ORIGIN(REGION), LENGTH(REGION), \
             or +, -, *, / and parentheses of these"
        )
    }
}

/// Decimal or 0x.., then K or M where it is kilo- or megabytes.
fn number(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1024),
        None => text.strip_suffix(['M', 'm']).map_or((text, 1), |digits| (digits, 1024 * 1024)),
    };
    let number: u64 = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    number.checked_mul(unit)
}
