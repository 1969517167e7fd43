//! The words of a draft notification (Art. 33), one table a language.

mod de;
mod en;
mod fr;
mod lang;
mod table;
