//! CVSS base scores from vectors, versions 2, 3.x and 4.0.
/// s
pub struct CvssScore { /// v
 pub version: &'static str, /// s
 pub score: f64 }
/// b
pub fn base_score(_v: &str) -> Option<CvssScore> { None }
