//! Parts of a body that are written piece by piece.

use super::family::{Family, Group, Row};
use super::text::Text;

/// A part of a body.
pub(super) trait Section: Send {
    /// Writes a piece: at least a line, and no more once the text has so many bytes. Gives whether there is more.
    fn write(&mut self, text: &mut Text, enough: usize) -> bool;
}

/// A part that is short, and written at once.
pub(super) struct Short<F>(Option<F>);

impl<F: FnOnce(&mut Text) + Send> Short<F> {
    pub(super) fn new(write: F) -> Self {
        Self(Some(write))
    }
}

impl<F: FnOnce(&mut Text) + Send> Section for Short<F> {
    fn write(&mut self, text: &mut Text, _: usize) -> bool {
        if let Some(write) = self.0.take() {
            write(text);
        }
        false
    }
}

/// A sample for each of many rows, family by family. The rows are looked at once, when this part begins.
pub(super) struct Each<R: Row, F> {
    /// Each with its prefix.
    families: Vec<(&'static str, &'static Family<R>)>,
    look: Option<F>,
    rows: Vec<R>,
    /// The labels of all rows, one after the other, and where those of each end: they are the same in every family.
    labels: String,
    ends: Vec<usize>,
    /// How many families are written.
    family: usize,
    /// How many rows of the next one, and whether it has begun.
    row: usize,
    has_begun: bool,
}

impl<R: Row, F: FnOnce() -> Vec<R> + Send> Each<R, F> {
    pub(super) fn new(groups: &[(&'static str, &'static Group<R>)], look: F) -> Self {
        let families =
            groups.iter().flat_map(|(prefix, group)| group.families.iter().map(|it| (*prefix, it)));
        let families = families.collect();
        Self {
            families,
            look: Some(look),
            rows: Vec::new(),
            labels: String::new(),
            ends: Vec::new(),
            family: 0,
            row: 0,
            has_begun: false,
        }
    }
}

impl<R: Row, F: FnOnce() -> Vec<R> + Send> Section for Each<R, F> {
    fn write(&mut self, text: &mut Text, enough: usize) -> bool {
        if let Some(look) = self.look.take() {
            self.rows = look();
            let mut labels = Text::default();
            self.ends.reserve_exact(self.rows.len());
            for row in &self.rows {
                labels.labels(|labels| row.label(labels));
                self.ends.push(labels.len());
            }
            self.labels = labels.into_string();
        }
        while let Some((prefix, family)) = self.families.get(self.family) {
            if !self.has_begun {
                family.head(prefix, text);
                self.has_begun = true;
            }
            let mut from =
                self.row.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end);
            while let (Some(row), Some(end)) = (self.rows.get(self.row), self.ends.get(self.row)) {
                if text.len() >= enough {
                    return true;
                }
                if let Some(value) = (family.value)(row) {
                    text.labelled(
                        prefix,
                        family.name,
                        self.labels.get(from..*end).unwrap_or_default(),
                        value,
                    );
                }
                (from, self.row) = (*end, self.row + 1);
            }
            (self.row, self.has_begun) = (0, false);
            self.family += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::family::{counter, gauge};
    use super::super::text::Labels;
    use super::*;

    struct Numbered(u64);

    impl Row for Numbered {
        fn label(&self, labels: &mut Labels<'_>) {
            labels.put("n", &self.0.to_string());
        }
    }

    static GROUP: Group<Numbered> = Group {
        name: "numbers",
        families: &[
            gauge("same", "S", |row: &Numbered| Some(row.0.into())),
            counter("odd", "O", |row: &Numbered| (row.0 % 2 == 1).then_some(row.0.into())),
        ],
    };

    fn written(enough: usize) -> (String, usize) {
        let mut section = Each::new(&[("x_", &GROUP)], || (1..=3).map(Numbered).collect());
        let (mut all, mut pieces) = (String::new(), 0);
        loop {
            let mut text = Text::default();
            let more = section.write(&mut text, enough);
            all.push_str(&text.into_string());
            pieces += 1;
            if !more {
                return (all, pieces);
            }
        }
    }

    #[test]
    fn however_small_the_pieces_are_together_they_say_the_same() {
        let expected = "# TYPE x_same gauge\n# HELP x_same S\n\
             x_same{n=\"1\"} 1\nx_same{n=\"2\"} 2\nx_same{n=\"3\"} 3\n\
             # TYPE x_odd counter\n# HELP x_odd O\n\
             x_odd{n=\"1\"} 1\nx_odd{n=\"3\"} 3\n";
        assert_eq!(written(usize::MAX), (expected.to_owned(), 1));
        for enough in [1, 20, 60] {
            let (all, pieces) = written(enough);
            assert_eq!(all, expected, "{enough}");
            assert!(pieces > 1, "{enough}");
        }
    }
}
