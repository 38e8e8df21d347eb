//! Bars and lines, as SVG.

use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::{
    coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter},
    prelude::*,
};

/// What is drawn of one system.
#[derive(Debug)]
pub(crate) struct Series<T> {
    pub(crate) name: String,
    pub(crate) values: Vec<T>,
}

/// Titles of a chart and its axes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Titles<'a> {
    pub(crate) chart: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
}

const SIZE: (u32, u32) = (1100, 480);

/// The part of a group's width that its bars take.
const FILLED: f64 = 0.84;

/// Readable by those who see fewer colours, in this order.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(90, 90, 90),
];

fn color(index: usize) -> RGBColor {
    COLORS[index % COLORS.len()]
}

/// Groups of bars, one bar for each series that has a value for the group.
///
/// # Errors
/// It cannot be drawn.
pub(crate) fn bars(
    titles: Titles<'_>,
    groups: &[&str],
    series: &[Series<Option<f64>>],
    y_max: f64,
) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(drawing)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(titles.chart, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(Groups(groups), 0.0..y_max)
            .map_err(drawing)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(groups.len())
            .x_desc(titles.x)
            .y_desc(titles.y)
            .draw()
            .map_err(drawing)?;
        let width = FILLED / series.len() as f64;
        for (index, one) in series.iter().enumerate() {
            let style = color(index).filled();
            let values = one.values.iter().enumerate();
            let bars = values.filter_map(|(group, value)| {
                let left = group as f64 + (1.0 - FILLED) / 2.0 + width * index as f64;
                let corners = [(left, 0.0), (left + width, value.as_ref()?.min(y_max))];
                Some(Rectangle::new(corners, style))
            });
            chart
                .draw_series(bars)
                .map_err(drawing)?
                .label(&one.name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], style));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .position(SeriesLabelPosition::UpperRight)
            .draw()
            .map_err(drawing)?;
        area.present().map_err(drawing)?;
    }
    Ok(svg)
}

/// Lines over a logarithmic axis, the other one being logarithmic as well.
///
/// # Errors
/// It cannot be drawn.
pub(crate) fn lines(
    titles: Titles<'_>,
    x: Range<f64>,
    y: Range<f64>,
    series: &[Series<(f64, f64)>],
) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(drawing)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(titles.chart, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(x.log_scale(), y.log_scale())
            .map_err(drawing)?;
        chart
            .configure_mesh()
            .x_desc(titles.x)
            .y_desc(titles.y)
            .draw()
            .map_err(drawing)?;
        for (index, one) in series.iter().enumerate() {
            let style = color(index).stroke_width(2);
            let line = LineSeries::new(one.values.iter().copied(), style).point_size(3);
            chart
                .draw_series(line)
                .map_err(drawing)?
                .label(&one.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .position(SeriesLabelPosition::UpperRight)
            .draw()
            .map_err(drawing)?;
        area.present().map_err(drawing)?;
    }
    Ok(svg)
}

/// An axis with a unit's width for each group, and its name in the middle of it.
struct Groups<'a>(&'a [&'a str]);

impl Ranged for Groups<'_> {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (from, to) = (f64::from(limit.0), f64::from(limit.1));
        (from + (to - from) * value / self.0.len() as f64).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        (0..self.0.len()).map(|group| group as f64 + 0.5).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.0.len() as f64
    }
}

impl ValueFormatter<f64> for Groups<'_> {
    fn format_ext(&self, value: &f64) -> String {
        let group = self.0.get(value.floor() as usize);
        group.copied().unwrap_or_default().to_owned()
    }
}

/// The crate's errors live no longer than its drawing.
fn drawing(error: impl ToString) -> anyhow::Error {
    anyhow!("drawing: {}", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLES: Titles<'_> = Titles {
        chart: "rates",
        x: "workload",
        y: "rate",
    };

    #[test]
    fn bars_are_there_where_values_are() {
        let series = |values| {
            [Series {
                name: "ours".to_owned(),
                values,
            }]
        };
        let rectangles = |values| {
            let svg = bars(TITLES, &["ping", "stream"], &series(values), 1.0).unwrap();
            assert!(svg.contains("ping") && svg.contains("stream"), "{svg}");
            svg.matches("<rect").count()
        };
        let both = rectangles(vec![Some(0.5), Some(1.0)]);
        assert_eq!(rectangles(vec![Some(0.5), None]), both - 1);
    }

    #[test]
    fn lines_have_their_points() {
        let series = Series {
            name: "ours".to_owned(),
            values: vec![(1.0, 2.0), (10.0, 1.0), (100.0, 1.0)],
        };
        let svg = lines(TITLES, 1.0..100.0, 0.5..4.0, &[series]).unwrap();
        assert!(svg.contains("<polyline"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 3, "{svg}");
    }
}
