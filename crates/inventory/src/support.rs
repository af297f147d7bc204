//! stub
use model::distro::Distro;
use model::Timestamp;
/// s
pub enum Support { 
/// r
Rolling,
/// u
Until(Timestamp), 
/// u
Unknown }
/// s
pub fn support(_d:&Distro)->Support{Support::Rolling}
