//! CVSS base scores from vectors, versions 2, 3.x and 4.0.
