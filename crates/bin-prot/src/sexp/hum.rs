//! S-expressions as text for people, broken into lines as the reference breaks them.
//!
//! The reference prints with OCaml's `Format`: each list is a box whose lines begin one column
//! after its parenthesis, filled with as many elements as fit. A box that fits on what is left of
//! the line is not broken at all; in the others a line is broken before an element that does not
//! fit, and wherever the next line would begin further left than the present one.

use std::fmt::Write as _;

use super::Sexp;
use super::print::{escape, is_bare};

/// How text for people is laid out: by default 90 columns, and an indentation of 1.
///
/// ```
/// use bin_prot::Sexp;
/// use bin_prot::sexp::Layout;
///
/// let sexp: Sexp = "((name Vega) (magnitude 0.03))".parse()?;
/// let narrow = Layout::default().width(20).indent(2);
/// assert_eq!(narrow.print(&sexp), "((name Vega)\n  (magnitude 0.03))");
/// # Ok::<(), bin_prot::sexp::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    width: usize,
    indent: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            width: 90,
            indent: 1,
        }
    }
}

/// As in `Format`: no box begins further right than this, however deep it is nested.
const MAX_INDENT: usize = 68;

impl Layout {
    /// The number of columns, at least 2. An atom that is longer has a longer line.
    #[must_use]
    pub fn width(mut self, columns: usize) -> Self {
        self.width = columns.max(2);
        self
    }

    /// How far a list's lines are indented after its parenthesis.
    #[must_use]
    pub fn indent(mut self, columns: usize) -> Self {
        self.indent = columns;
        self
    }

    /// The text of an S-expression.
    pub fn print(self, sexp: &Sexp) -> String {
        if let Sexp::Atom(atom) = sexp
            && !atom.0.contains(&b'\n')
        {
            return sexp.to_string();
        }
        let mut sizes = Vec::new();
        measure(sexp, &mut sizes);
        let mut printer = Printer {
            layout: self,
            max_indent: self.max_indent(),
            sizes: sizes.into_iter(),
            text: String::new(),
            left: self.width,
            line_indent: 0,
            line_is_new: false,
        };
        printer.sexp(sexp, None);
        printer.text
    }

    fn max_indent(self) -> usize {
        if MAX_INDENT <= self.width {
            MAX_INDENT
        } else {
            self.width.saturating_sub(10).max(self.width / 2).max(1)
        }
    }
}

impl Sexp {
    /// The text for people, in the [default layout](Layout::default).
    ///
    /// ```
    /// use bin_prot::Sexp;
    ///
    /// let line = Sexp::list(["error", "no such star", "Betelgeuse"].map(Sexp::atom));
    /// assert_eq!(line.to_string_hum(), r#"(error "no such star" Betelgeuse)"#);
    /// let three = Sexp::list([line.clone(), line.clone(), line]);
    /// assert_eq!(
    ///     three.to_string_hum(),
    ///     "((error \"no such star\" Betelgeuse) (error \"no such star\" Betelgeuse)\n \
    ///      (error \"no such star\" Betelgeuse))"
    /// );
    /// ```
    pub fn to_string_hum(&self) -> String {
        Layout::default().print(self)
    }
}

/// The width of everything on one line: of each S-expression in the order in which they begin.
fn measure(sexp: &Sexp, sizes: &mut Vec<usize>) -> usize {
    let place = sizes.len();
    sizes.push(0);
    let size = match sexp {
        Sexp::Atom(atom) => Atom::new(&atom.0).size(),
        Sexp::List(items) => {
            let inner: usize = items.iter().map(|item| measure(item, sizes)).sum();
            2 + inner + items.len().saturating_sub(1)
        }
    };
    if let Some(entry) = sizes.get_mut(place) {
        *entry = size;
    }
    size
}

/// The text of an atom: one line, or a quoted one of several.
enum Atom {
    Line(String),
    Lines(Vec<String>),
}

impl Atom {
    fn new(atom: &[u8]) -> Self {
        if is_bare(atom) {
            return Self::Line(String::from_utf8_lossy(atom).into_owned());
        }
        let body = atom.strip_suffix(b"\n").unwrap_or(atom);
        if body.contains(&b'\n') {
            Self::Lines(atom.split(|byte| *byte == b'\n').map(escape).collect())
        } else {
            Self::Line(format!("\"{}\"", escape(atom)))
        }
    }

    /// Only what is printed counts: of `\`, a line's end and `\n`, which separate lines, three.
    fn size(&self) -> usize {
        match self {
            Self::Line(line) => line.len(),
            Self::Lines(lines) => {
                let text: usize = lines.iter().map(String::len).sum();
                text + " \"\"".len() + (lines.len() - 1) * "\\\\n".len()
            }
        }
    }
}

struct Printer {
    layout: Layout,
    max_indent: usize,
    /// What [`measure`] found, for what was not printed yet.
    sizes: std::vec::IntoIter<usize>,
    text: String,
    /// Columns left on this line; none when the text is beyond the margin.
    left: usize,
    /// The indentation of this line.
    line_indent: usize,
    /// Whether the line has nothing but its indentation.
    line_is_new: bool,
}

/// A list that is being printed.
#[derive(Clone, Copy)]
struct Enclosing {
    fits: bool,
    /// The column at which its lines begin.
    column: usize,
}

impl Printer {
    fn sexp(&mut self, sexp: &Sexp, outer: Option<Enclosing>) {
        let size = self.sizes.next().unwrap_or_default();
        match sexp {
            Sexp::Atom(atom) => match Atom::new(&atom.0) {
                Atom::Line(line) => self.word(&line),
                Atom::Lines(lines) => {
                    let enclosing = self.open(size, 0, outer);
                    self.lines(&lines, enclosing);
                }
            },
            Sexp::List(items) if items.is_empty() => self.word("()"),
            Sexp::List(items) => {
                let enclosing = self.open(size, self.layout.indent, outer);
                self.word("(");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        let next = self.sizes.as_slice().first().copied().unwrap_or_default();
                        let end = usize::from(index == items.len() - 1);
                        self.space(1 + next + end, enclosing);
                    }
                    self.sexp(item, Some(enclosing));
                }
                self.word(")");
            }
        }
    }

    fn open(&mut self, size: usize, indent: usize, outer: Option<Enclosing>) -> Enclosing {
        let column = self.layout.width - self.left;
        if column > self.max_indent
            && let Some(outer) = outer
            && !outer.fits
            && column > outer.column
        {
            self.new_line(outer);
        }
        Enclosing {
            // `Format` decides as soon as the line is full, before it knows that this is the end.
            fits: size < self.left,
            column: (self.layout.width - self.left).saturating_add(indent),
        }
    }

    /// A place where the line may be broken; what follows up to the next one has `size` columns,
    /// with the space.
    fn space(&mut self, size: usize, enclosing: Enclosing) {
        let breaks = !enclosing.fits
            && !self.line_is_new
            && (size >= self.left || self.line_indent > enclosing.column);
        if breaks {
            self.new_line(enclosing);
        } else {
            self.left = self.left.saturating_sub(1);
            self.text.push(' ');
        }
    }

    fn new_line(&mut self, enclosing: Enclosing) {
        self.text.push('\n');
        self.line_indent = enclosing.column.min(self.max_indent);
        self.left = self.layout.width - self.line_indent;
        self.line_is_new = true;
        let _ = write!(self.text, "{:1$}", "", self.line_indent);
    }

    fn word(&mut self, word: &str) {
        self.left = self.left.saturating_sub(word.len());
        self.text.push_str(word);
        self.line_is_new = false;
    }

    /// A quoted atom of several lines; the space before it lines up the quoted text.
    fn lines(&mut self, lines: &[String], enclosing: Enclosing) {
        self.word(" \"");
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                self.word("\\");
                self.new_line(enclosing);
                self.word("\\n");
            }
            self.word(line);
        }
        self.word("\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atoms<const N: usize>(words: [&str; N]) -> Sexp {
        Sexp::list(words.map(Sexp::atom))
    }

    #[track_caller]
    fn check(layout: Layout, sexp: &Sexp, text: &str) {
        let printed = layout.print(sexp);
        assert_eq!(printed, text);
        assert_eq!(Sexp::parse(printed.as_bytes()).as_ref(), Ok(sexp));
    }

    #[test]
    fn what_fits_is_one_line() {
        let layout = Layout::default();
        check(layout, &Sexp::atom("a b"), r#""a b""#);
        check(layout, &Sexp::default(), "()");
        check(
            layout,
            &Sexp::list([atoms(["a", "b"]), Sexp::atom("c"), Sexp::default()]),
            "((a b) c ())",
        );
    }

    #[test]
    fn lines_are_filled_and_begin_after_the_parenthesis() {
        let layout = Layout::default().width(10);
        let words = atoms(["aaa", "bbb", "ccc", "ddd", "e"]);
        check(layout, &words, "(aaa bbb\n ccc ddd\n e)");
        check(layout.indent(2), &words, "(aaa bbb\n  ccc ddd\n  e)");
    }

    /// The line of a list that was broken is not continued after it.
    #[test]
    fn lines_do_not_go_back_to_the_left_unseen() {
        let layout = Layout::default().width(12);
        let inner = atoms(["aaaa", "bbbb", "c"]);
        let sexp = Sexp::list([Sexp::atom("x"), inner, Sexp::atom("y")]);
        check(layout, &sexp, "(x\n (aaaa bbbb\n  c)\n y)");
    }

    #[test]
    fn records_are_shown_field_by_field() {
        let layout = Layout::default().width(24);
        let sexp = Sexp::record([
            ("name", Sexp::atom("get-stars")),
            ("version", Sexp::atom("1")),
            ("kind", Sexp::atom("pipe")),
        ]);
        check(
            layout,
            &sexp,
            "((name get-stars)\n (version 1)\n (kind pipe))",
        );
    }

    #[test]
    fn text_of_several_lines_is_shown_as_such() {
        check(
            Layout::default(),
            &Sexp::list([Sexp::atom("error"), Sexp::atom("one\ntwo \"2\"")]),
            "(error  \"one\\\n       \\ntwo \\\"2\\\"\")",
        );
        check(Layout::default(), &Sexp::atom("one\n"), r#""one\n""#);
    }

    #[test]
    fn deep_lists_stay_within_the_greatest_indentation() {
        let deep = (0..200).fold(Sexp::atom("a"), |inner, _| {
            Sexp::list([inner, Sexp::atom("b")])
        });
        let text = Layout::default().print(&deep);
        assert_eq!(Sexp::parse(text.as_bytes()), Ok(deep));
    }
}
