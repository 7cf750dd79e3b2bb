//! Values of several parts: words of the form `name=value`, in any order.

/// Words of the form `name=value`.
pub(super) struct Words<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Words<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let mut words: Vec<(&str, &str)> = Vec::new();
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').ok_or_else(|| {
                format!("expected words such as name=value, not '{word}' (a pattern has \\x20 for a blank)")
            })?;
            if words.iter().any(|(other, _)| *other == name) {
                return Err(format!("{name} is there twice"));
            }
            words.push((name, value));
        }
        Ok(Self(words))
    }

    /// The value of one, which is not there any more afterwards.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(other, _)| *other == name)?;
        Some(self.0.remove(at).1)
    }

    /// Those that were not taken.
    pub(super) fn rest(self) -> Vec<(&'a str, &'a str)> {
        self.0
    }

    /// Refuses those that were not taken.
    pub(super) fn end(&self, known: &str) -> Result<(), String> {
        match self.0.first() {
            Some((name, _)) => Err(format!("there is no '{name}' here: expected {known}")),
            None => Ok(()),
        }
    }
}
