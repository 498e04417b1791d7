//! XML, one city object at a time. The stream never holds more than one object as a tree, and refuses what only
//! an attack needs: document types, entities of its own, deep nests, endless tags.

use crate::{
    IngestError,
    archive::{Refused, read_error},
};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use std::{
    io::{self, BufRead, Read},
    path::Path,
    rc::Rc,
};

const MAX_DEPTH: usize = 128;
const MAX_ATTRIBUTES: usize = 1000;
/// One tag or one run of text.
const MAX_EVENT: u64 = 64 << 20;
/// One city object as a tree.
const MAX_OBJECT: u64 = 512 << 20;
/// Charged for an element beside its text.
const NODE_COST: u64 = 160;

/// A buffered reader that counts lines and stops runaway events.
struct Guard<R> {
    inner: R,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    line: u64,
    in_event: u64,
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let have = self.fill_buf()?;
        let n = have.len().min(out.len());
        out[..n].copy_from_slice(&have[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Guard<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.in_event > MAX_EVENT {
            return Err(Refused::io("xml-limit", "one tag or text is longer than 64 MiB"));
        }
        if self.at >= self.end {
            self.at = 0;
            self.end = loop {
                match self.inner.read(&mut self.buffer) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => break other?,
                }
            };
        }
        Ok(&self.buffer[self.at..self.end])
    }
    fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.at);
        self.line += self.buffer[self.at..self.at + n].iter().filter(|&&b| b == b'\n').count() as u64;
        self.at += n;
        self.in_event += n as u64;
    }
}

/// An element with all that is in it. Names are local: the prefix is kept apart.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub prefix: Rc<str>,
    pub name: Rc<str>,
    /// Local name and value.
    pub attributes: Vec<(Rc<str>, Box<str>)>,
    pub text: String,
    pub children: Vec<Node>,
    pub line: u64,
}

impl Node {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| &**n == name).map(|(_, v)| &**v)
    }
    pub fn id(&self) -> Option<&str> {
        self.attribute("id").map(str::trim).filter(|v| !v.is_empty())
    }
    pub fn href(&self) -> Option<&str> {
        self.attribute("href").filter(|v| !v.is_empty())
    }
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|c| &*c.name == name)
    }
    /// Trimmed text of the first child of that name, unless empty.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.children.iter().filter(|c| &*c.name == name).map(|c| c.text.trim()).find(|t| !t.is_empty())
    }
    /// As [`Self::value`], anywhere below, nearest in document order.
    pub fn deep_value(&self, name: &str) -> Option<&str> {
        self.value(name).or_else(|| self.children.iter().find_map(|c| c.deep_value(name)))
    }
    pub fn number(&self, name: &str) -> Option<f64> {
        self.value(name)?.parse().ok().filter(|v: &f64| v.is_finite())
    }
    pub fn deep_number(&self, name: &str) -> Option<f64> {
        self.deep_value(name)?.parse().ok().filter(|v: &f64| v.is_finite())
    }
    pub fn walk<'n>(&'n self, f: &mut impl FnMut(&'n Node)) {
        f(self);
        self.children.iter().for_each(|c| c.walk(f));
    }
}

pub(crate) struct Stream<'p, R> {
    reader: Reader<Guard<R>>,
    pub path: &'p Path,
    /// Name for places: `bldg.gml`, `city.zip/udx/bldg.gml`.
    pub name: String,
    depth: usize,
    /// A file has few names and says each a million times.
    names: hashbrown::HashSet<Rc<str>>,
}

impl<'p, R: Read> Stream<'p, R> {
    pub fn new(input: R, path: &'p Path, name: String) -> Self {
        let guard = Guard { inner: input, buffer: vec![0; 64 << 10].into(), at: 0, end: 0, line: 1, in_event: 0 };
        let mut reader = Reader::from_reader(guard);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, path, name, depth: 0, names: hashbrown::HashSet::new() }
    }
    pub fn line(&mut self) -> u64 {
        self.reader.get_mut().line
    }
    pub fn fault(&mut self, code: &'static str, reason: impl Into<String>) -> IngestError {
        let line = self.line();
        let place = format!("{}:{line}", self.name);
        IngestError::new(self.path, code, reason).at(place)
    }
    /// The next event; a document type, a depth over the limit and an end before the last tag are errors.
    pub fn next<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Result<Event<'b>, IngestError> {
        buffer.clear();
        self.reader.get_mut().in_event = 0;
        match self.reader.read_event_into(buffer) {
            Ok(event) => {
                match &event {
                    Event::DocType(_) => return Err(self.fault("dtd-forbidden", "a document type declaration is not allowed")),
                    Event::Start(_) => {
                        self.depth += 1;
                        if self.depth > MAX_DEPTH {
                            return Err(self.fault("xml-limit", format!("elements nest deeper than {MAX_DEPTH}")));
                        }
                    }
                    Event::End(_) => self.depth = self.depth.saturating_sub(1),
                    Event::Eof if self.depth > 0 => {
                        let open = self.depth;
                        return Err(self.fault("truncated", format!("the file ends inside {open} open elements")));
                    }
                    _ => {}
                }
                Ok(event)
            }
            Err(e) => Err(self.xml_error(&e)),
        }
    }
    fn xml_error(&mut self, e: &quick_xml::Error) -> IngestError {
        use quick_xml::Error as E;
        let line = self.line();
        let place = format!("{}:{line}", self.name);
        match e {
            E::Io(e) => read_error(self.path, e),
            E::Syntax(e) => IngestError::new(self.path, "truncated", format!("the file ends inside a tag: {e}")),
            E::Encoding(_) => IngestError::new(
                self.path,
                "invalid-content",
                "the text is not in the encoding that the file declares (UTF-8 where it says none)",
            ),
            e => IngestError::new(self.path, "invalid-content", format!("not well-formed XML: {e}")),
        }
        .at(place)
    }
    /// Passes over an element whose start was just read.
    pub fn skip(&mut self, buffer: &mut Vec<u8>) -> Result<(), IngestError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            self.next(buffer)?;
        }
        Ok(())
    }
    /// The element whose start was just read, as a tree. Elements named `aside` do not enter the tree: they are
    /// handed to `hand` with the elements that are open around them, so that a terrain of millions of triangles needs no memory.
    pub fn tree(
        &mut self,
        start: &BytesStart<'_>,
        buffer: &mut Vec<u8>,
        aside: Option<&str>,
        hand: &mut dyn FnMut(&[Node], Node) -> Result<(), IngestError>,
    ) -> Result<Node, IngestError> {
        let mut cost = 0u64;
        let mut stack = vec![self.open(start, &mut cost)?];
        loop {
            // The caller's start tag borrows nothing from `buffer` any more: `open` has copied it.
            let event = self.next(buffer)?;
            match event {
                Event::Start(s) => {
                    let node = self.open(&s, &mut cost)?;
                    stack.push(node);
                }
                Event::End(_) => {
                    let Some(node) = stack.pop() else { return Err(self.fault("invalid-content", "an end tag too many")) };
                    if !stack.is_empty() && aside == Some(&*node.name) {
                        let mut freed = 0;
                        node.walk(&mut |n| freed += NODE_COST + n.text.len() as u64);
                        cost = cost.saturating_sub(freed);
                        hand(&stack, node)?;
                        continue;
                    }
                    match stack.last_mut() {
                        None => return Ok(node),
                        Some(parent) => parent.children.push(node),
                    }
                }
                Event::Text(t) => self.text(&mut stack, &t.into_inner(), &mut cost)?,
                Event::CData(t) => self.text(&mut stack, &t.into_inner(), &mut cost)?,
                Event::GeneralRef(r) => {
                    let c = match &*r {
                        "lt" => Some('<'),
                        "gt" => Some('>'),
                        "amp" => Some('&'),
                        "apos" => Some('\''),
                        "quot" => Some('"'),
                        _ => r.resolve_char_ref().ok().flatten(),
                    };
                    let Some(c) = c else {
                        let name = crate::archive::shown(&r);
                        return Err(self.fault("invalid-content", format!("an entity `&{name};` that XML does not define")));
                    };
                    self.text(&mut stack, c.encode_utf8(&mut [0; 4]), &mut cost)?;
                }
                _ => {}
            }
        }
    }
    fn text(&mut self, stack: &mut [Node], text: &str, cost: &mut u64) -> Result<(), IngestError> {
        let Some(node) = stack.last_mut() else { return Ok(()) };
        if node.text.is_empty() && text.bytes().all(|b| b.is_ascii_whitespace()) {
            return Ok(());
        }
        if (node.text.len() + text.len()) as u64 > MAX_EVENT {
            return Err(self.fault("xml-limit", "one tag or text is longer than 64 MiB"));
        }
        node.text.push_str(text);
        self.charge(cost, text.len() as u64)
    }
    fn charge(&mut self, cost: &mut u64, more: u64) -> Result<(), IngestError> {
        *cost += more;
        if *cost > MAX_OBJECT {
            return Err(self.fault("xml-limit", "one city object needs more than 512 MiB"));
        }
        Ok(())
    }
    pub fn open(&mut self, start: &BytesStart<'_>, cost: &mut u64) -> Result<Node, IngestError> {
        self.charge(cost, NODE_COST)?;
        let (name, prefix) = start.name().decompose();
        let mut node = Node {
            prefix: self.named(prefix.map_or("", |p| p.into_inner())),
            name: self.named(name.into_inner()),
            line: self.line(),
            ..Node::default()
        };
        for a in start.attributes() {
            let a = match a {
                Ok(a) => a,
                Err(e) => return Err(self.fault("invalid-content", format!("not well-formed XML: {e}"))),
            };
            if node.attributes.len() >= MAX_ATTRIBUTES {
                return Err(self.fault("xml-limit", format!("an element has more than {MAX_ATTRIBUTES} attributes")));
            }
            let value = match a.normalized_value(quick_xml::XmlVersion::Implicit1_0) {
                Ok(v) => v,
                Err(e) => return Err(self.fault("invalid-content", format!("not well-formed XML: {e}"))),
            };
            self.charge(cost, value.len() as u64 + 32)?;
            let key = if a.key.as_ref().starts_with("xmlns") { a.key.as_ref() } else { a.key.local_name().into_inner() };
            let key = self.named(key);
            node.attributes.push((key, value.as_ref().into()));
        }
        Ok(node)
    }
    fn named(&mut self, name: &str) -> Rc<str> {
        // A file whose names are all different gains nothing by their being kept.
        if self.names.len() > 4096 {
            self.names.clear();
        }
        self.names.get_or_insert_with(name, |n: &str| Rc::from(n)).clone()
    }
}
