//! The middle of repeated measurements, and how far they lie apart.

use serde::{Deserialize, Serialize};

/// Median and extremes of the figures of all rounds; not numbers if there were none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The smallest figure.
    pub min: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The largest figure.
    pub max: f64,
}

impl Spread {
    /// The spread of these figures, in whatever order they come.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Self {
            min: figures.first().copied().unwrap_or(f64::NAN),
            median: median_of_sorted(&figures),
            max: figures.last().copied().unwrap_or(f64::NAN),
        }
    }

    /// `median (min to max)`.
    pub fn to_text(&self, decimals: usize) -> String {
        let Self { min, median, max } = self;
        format!("{median:.decimals$} ({min:.decimals$} to {max:.decimals$})")
    }
}

/// The median of these figures, in whatever order they come.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    Spread::of(figures).median
}

fn median_of_sorted(figures: &[f64]) -> f64 {
    let upper = figures.len() / 2;
    match (figures.len() % 2, figures) {
        (_, []) => f64::NAN,
        (1, _) => figures[upper],
        _ => f64::midpoint(figures[upper - 1], figures[upper]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_median_and_extremes() {
        let odd = Spread::of([5.0, 1.0, 2.0]);
        assert_eq!(odd.to_text(0), "2 (1 to 5)");
        let even = Spread::of([1.0, 2.0]);
        assert_eq!(even.to_text(1), "1.5 (1.0 to 2.0)");
    }

    #[test]
    fn nothing_measured_is_no_number() {
        let Spread { min, median, max } = Spread::of([]);
        assert!([min, median, max].iter().all(|figure| figure.is_nan()));
    }
}
