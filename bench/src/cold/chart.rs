//! The picture of cold starts: two bars each on a logarithmic scale, as SVG that follows the reader's light or dark theme.

use std::fmt::Write as _;
use std::time::Duration;

/// A line of it.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) plain: Duration,
    pub(crate) tls: Duration,
}

const WIDTH: f64 = 960.0;
/// Where the scale begins and ends; names stand before, the last figure behind.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 840.0;
/// Where the first line begins.
const TOP: f64 = 92.0;
const LINE: f64 = 58.0;
const THICK: f64 = 20.0;

const STYLE: &str = "<style>\
text{font:17px system-ui,sans-serif;fill:#1f2328}.title{font-size:21px;font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}\
.soft{fill:#59636e}.grid{stroke:#d1d9e0}.plain{fill:#9ec5f4}.tls{fill:#1f6feb}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.soft{fill:#9198a1}.grid{stroke:#3d444d}.plain{fill:#2f5c94}.tls{fill:#58a6ff}}\
</style>";

/// The whole file.
pub(crate) fn svg(bars: &[Bar]) -> String {
    let longest = bars.iter().flat_map(|bar| [bar.plain, bar.tls]).map(millis).fold(10.0, f64::max);
    let decades = longest.log10().ceil();
    let bottom = TOP + LINE * bars.len() as f64;
    let height = bottom + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Cold starts: process start to the first answer\">\n{STYLE}\n\
         <text class=\"title\" x=\"20\" y=\"32\">Cold start: from the process's start to its first answer</text>\n"
    );
    for (x, class, name) in [(20.0, "plain", "services by plain HTTP"), (260.0, "tls", "services by TLS, three hosts")]
    {
        let _ = writeln!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"50\" width=\"18\" height=\"18\" rx=\"2\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"65\">{name}</text>", x + 26.0);
    }
    let _ =
        writeln!(svg, "<text class=\"soft end\" x=\"940\" y=\"65\">logarithmic scale, no network in between</text>");
    for decade in 0..=decades as u32 {
        let (x, millis) = (along(10_f64.powi(decade as i32), decades), 10_u64.pow(decade));
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>");
        let _ = writeln!(
            svg,
            "<text class=\"soft mid\" x=\"{x:.1}\" y=\"{}\">{}</text>",
            bottom + 24.0,
            label(millis as f64)
        );
    }
    for (number, bar) in bars.iter().enumerate() {
        line(&mut svg, bar, TOP + LINE * number as f64, decades);
    }
    svg + "</svg>\n"
}

fn line(svg: &mut String, bar: &Bar, top: f64, decades: f64) {
    let _ =
        writeln!(svg, "<text class=\"end\" x=\"{}\" y=\"{}\">{}</text>", LEFT - 12.0, top + 35.0, escaped(&bar.name));
    for (place, class, time) in [(8.0, "plain", bar.plain), (30.0, "tls", bar.tls)] {
        let (y, end) = (top + place, along(millis(time), decades));
        let width = end - LEFT;
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{THICK}\" rx=\"2\"/>"
        );
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{}</text>", end + 8.0, y + 16.0, label(millis(time)));
    }
}

/// Where a time stands on the scale, which begins at a millisecond.
fn along(millis: f64, decades: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * (millis.max(1.0).log10() / decades)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn label(millis: f64) -> String {
    match millis {
        ..10.0 if millis.fract() > 0.0 => format!("{millis:.1} ms"),
        ..1000.0 => format!("{millis:.0} ms"),
        _ if millis % 1000.0 > 0.0 => format!("{:.2} s", millis / 1e3),
        _ => format!("{:.0} s", millis / 1e3),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars() -> Vec<Bar> {
        let bar = |name: &str, plain, tls| Bar {
            name: name.to_owned(),
            plain: Duration::from_millis(plain),
            tls: Duration::from_millis(tls),
        };
        vec![bar("empty", 5, 5), bar("a <&> b", 900, 1_234)]
    }

    /// The tags that are open at the end, and whether each was closed by its own.
    #[test]
    fn it_is_well_formed() {
        let svg = svg(&bars());
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').unwrap();
            assert!(!text.contains('&') || text.contains("&amp;") || text.contains("&lt;"), "{text}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') => {}
                None => open.push(tag.split(' ').next().unwrap()),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn the_scale_is_logarithmic() {
        assert!((along(1.0, 4.0) - LEFT).abs() < 1e-9 && (along(10_000.0, 4.0) - RIGHT).abs() < 1e-9);
        assert!((along(100.0, 4.0) - f64::midpoint(LEFT, RIGHT)).abs() < 1e-9);
    }

    #[test]
    fn times_are_short() {
        assert_eq!([1.0, 4.56, 45.6, 1234.5, 10_000.0].map(label), ["1 ms", "4.6 ms", "46 ms", "1.23 s", "10 s"]);
    }
}
