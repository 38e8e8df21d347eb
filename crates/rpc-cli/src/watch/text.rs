//! Makes text from a peer safe to show.

/// The text on one line, without anything that a terminal would act upon, and at most `width`
/// characters long.
///
/// Control characters (which begin escape sequences), line breaks, and the invisible characters
/// that reorder or hide text become `?`. What is cut off is shown as `…`.
pub(crate) fn clean(text: &str, width: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(width)
        .map(|c| if is_harmless(c) { c } else { '?' })
        .collect();
    if text.chars().nth(width).is_some() {
        shown.pop();
        if width > 0 {
            shown.push('…');
        }
    }
    shown
}

/// Whether the character only shows itself.
fn is_harmless(c: char) -> bool {
    // `is_control` is C0, DEL and C1. The rest: zero-width and directional marks, line and
    // paragraph separators, embeddings and isolates, byte order mark, interlinear annotations, tags.
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, width: usize, expected: &str) {
        assert_eq!(clean(text, width), expected);
    }

    #[test]
    fn harmless_text_is_as_it_was() {
        check("", 8, "");
        check("host-1.example", 40, "host-1.example");
        check("Zürich ✓", 40, "Zürich ✓");
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_upon() {
        check("\x1b[2Jgone", 40, "?[2Jgone");
        check("a\r\nb\tc\0", 40, "a??b?c?");
        check("\u{9b}31mred\u{7f}", 40, "?31mred?");
        check("\x1b]0;title\x07", 40, "?]0;title?");
        check("abc\u{202e}fed", 40, "abc?fed");
        check("a\u{2028}b\u{feff}", 40, "a?b?");
    }

    #[test]
    fn long_text_is_cut_at_the_width() {
        check("abcde", 6, "abcde");
        check("abcde", 5, "abcde");
        check("abcde", 4, "abc…");
        check("abcde", 1, "…");
        check("abcde", 0, "");
    }
}
