//! The window of the desktop on an X server in memory: it draws what `strata shot` draws, answers to real keys, and goes on
//! after the loss of its device.

use std::{
    fs,
    io::{BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};
use strata_tests::{district, repository, scratch, strata_binary, strata_ok};

/// An X server that ends with the test. Its screen lies in a file that one can read.
struct Display {
    server: Child,
    name: String,
    screen: PathBuf,
}

impl Display {
    fn open(dir: &Path) -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x720x24", "-nolisten", "tcp", "-fbdir"])
            .arg(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts: run `make test`, which installs it");
        let mut number = String::new();
        BufReader::new(server.stdout.take().expect("piped")).read_line(&mut number).expect("a display's number");
        Self { server, name: format!(":{}", number.trim()), screen: dir.join("Xvfb_screen0") }
    }
    /// The pixels of the screen from its top left corner (XWD, 32 bits a pixel, BGRX).
    fn pixels(&self, width: usize, height: usize) -> Vec<[u8; 3]> {
        let file = fs::read(&self.screen).expect("the screen's file");
        let word = |i: usize| u32::from_be_bytes(file[i * 4..i * 4 + 4].try_into().expect("four bytes")) as usize;
        let (header, row, colours) = (word(0), word(12), word(19));
        let at = header + colours * 12;
        (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| at + y * row + x * 4)
            .map(|i| [file[i + 2], file[i + 1], file[i]])
            .collect()
    }
    fn window(&self, script: &str, more: &[&str]) -> Command {
        let path = self.screen.with_extension("script");
        fs::write(&path, script).expect("a script");
        let mut command = Command::new(strata_binary());
        command.args(["view", district().to_str().expect("UTF-8"), "01-city-day", "--size", "320x180", "--quality", "high", "--script"]);
        command.arg(path).args(more).env("DISPLAY", &self.name).current_dir(repository());
        command
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

const CAMERA: &str = "125.3186,43.8866,215,300,330,-28";

struct Rgb {
    data: Vec<[u8; 3]>,
}

impl Rgb {
    fn read(path: &Path) -> Self {
        let mut reader = png::Decoder::new(Cursor::new(fs::read(path).expect("a picture"))).read_info().expect("a PNG");
        let mut data = vec![0; reader.output_buffer_size().expect("it fits")];
        let info = reader.next_frame(&mut data).expect("pixels");
        Self { data: data[..info.buffer_size()].chunks(info.color_type.samples()).map(|p| [p[0], p[1], p[2]]).collect() }
    }
}

/// What `say` printed, line by line.
fn said(mut command: Command) -> Vec<serde_json::Value> {
    let out = command.output().expect("strata view starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{}\n{text}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    text.lines().map(|l| serde_json::from_str(l).expect("one JSON document a line")).collect()
}

fn still(name: &Path, camera: &str, size: &str) -> Rgb {
    let city = district().to_str().expect("UTF-8");
    strata_ok(&["shot", city, "01-city-day", "-o", name.to_str().expect("UTF-8"), "--size", size, "--camera", camera]);
    Rgb::read(name)
}

fn camera_of(state: &serde_json::Value) -> String {
    state["camera"].as_array().expect("six numbers").iter().map(|v| v.to_string()).collect::<Vec<_>>().join(",")
}

/// Share of pixels that differ visibly.
fn differing(a: &[[u8; 3]], b: &[[u8; 3]]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).filter(|(a, b)| (0..3).any(|k| a[k].abs_diff(b[k]) > 12)).count() as f64 / a.len() as f64
}

#[test]
fn the_window_draws_what_a_still_shows_and_outlives_its_device() {
    let dir = scratch("view");
    let display = Display::open(&dir);
    let path = |name: &str| dir.join(name);
    let shot = |name: &str| format!("shot {}\n", path(name).display());
    let script = [
        "settle\nsay\n",
        &shot("first.png"),
        // Hands: turn, go over the ground, come nearer, step through time.
        "drag left 120 40\ndrag right -60 30\nwheel 2\nkey t\nkey ArrowLeft\nsettle\nsay\n",
        &shot("turned.png"),
        // On foot: a second ahead.
        "key t\nkey q\nframes 2\nsay\nhold w 1\nsettle\nsay\nkey q\nkey Home\nsettle\n",
        "lose\nsettle\nsay\n",
        &shot("again.png"),
        "key u\nsettle\nsay\n",
        &shot("xray.png"),
        "resize 400x300\nsettle\nsay\nclose\n",
    ]
    .concat();
    let seen = said(display.window(&script, &["--camera", CAMERA]));
    let [first, turned, on_foot, walked, again, xray, resized] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((&first["size"], first["missing"].as_u64()), (&serde_json::json!([320, 180]), Some(0)), "{first}");
    let of_window = Rgb::read(&path("first.png"));
    let of_still = still(&path("still.png"), &camera_of(first), "320x180");
    let far = differing(&of_window.data, &of_still.data);
    assert!(far < 0.01, "{far} of the window's pixels differ from the still's");
    // Moved by hand, and still what a still from there shows.
    let (a, b) = (&first["camera"], &turned["camera"]);
    assert!((0..6).all(|i| i == 2 || a[i] != b[i]), "{a} {b}");
    assert!(turned["day"].as_i64() < first["day"].as_i64(), "one change back: {turned}");
    let other = still(&path("other.png"), &camera_of(turned), "320x180");
    let far = differing(&Rgb::read(&path("turned.png")).data, &other.data);
    assert!(far < 0.02, "{far} of the pixels differ after turning");
    assert!(differing(&of_window.data, &other.data) > 0.3, "turning changed nothing");
    // Eye height on foot, three metres further on.
    for state in [on_foot, walked] {
        let over = state["eye"][2].as_f64().expect("a height") - state["ground_m"].as_f64().expect("ground under the eye");
        assert!((over - 1.6).abs() < 0.2, "the eye is {over} m over the ground: {state}");
    }
    let metres = |i: usize, scale: f64| (walked["eye"][i].as_f64().unwrap_or(0.0) - on_foot["eye"][i].as_f64().unwrap_or(0.0)) * scale;
    let gone = metres(0, 80_300.0).hypot(metres(1, 111_100.0));
    assert!((gone - 3.0).abs() < 0.3, "{gone} m in a second");
    // The lost device is back with the same picture.
    assert_eq!((again["restarts"].as_u64(), again["camera"] == first["camera"]), (Some(1), true), "{again}");
    let far = differing(&of_window.data, &Rgb::read(&path("again.png")).data);
    assert!(far < 0.02, "{far} of the pixels differ after the device came back");
    assert_eq!(xray["mode"], "xray");
    assert!(differing(&of_window.data, &Rgb::read(&path("xray.png")).data) > 0.3, "x-ray looks like the surface");
    assert_eq!(resized["size"], serde_json::json!([400, 300]), "{resized}");
}

/// Keys as the X server sends them, and the pixels as the X server has them.
#[test]
fn the_screen_shows_it_and_real_keys_arrive() {
    let dir = scratch("view-keys");
    let display = Display::open(&dir);
    let shown = dir.join("shown.png");
    // The window stays open for keys; the script ends it.
    let script = format!("settle\nframes 3\nsay\nshot {}\nframes 100000\n", shown.display());
    let mut child =
        display.window(&script, &["--camera", CAMERA]).stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("strata view");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("a line").expect("UTF-8");
    assert!(first.contains("\"mode\":\"surface\""), "{first}");
    let tool = |args: &[&str]| {
        let out =
            Command::new("xdotool").args(args).env("DISPLAY", &display.name).output().expect("xdotool: run `make test`, which installs it");
        assert!(out.status.success(), "xdotool {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("UTF-8")
    };
    let id = tool(&["search", "--name", "^Strata"]).lines().next().expect("a window").to_owned();
    tool(&["windowmove", &id, "0", "0"]);
    tool(&["windowfocus", &id]);
    sleep(Duration::from_millis(1500));
    let drawn = Rgb::read(&shown);
    let far = differing(&display.pixels(320, 180), &drawn.data);
    assert!(far < 0.02, "{far} of the screen's pixels are not the picture's");
    // X-ray by a key: the screen changes. A slow machine gets its time.
    tool(&["key", "u"]);
    let changed = (0..120).any(|_| {
        sleep(Duration::from_millis(500));
        differing(&display.pixels(320, 180), &drawn.data) > 0.3
    });
    assert!(changed, "the key U changed nothing on the screen");
    let alive = child.try_wait().expect("a child").is_none();
    let _ = child.kill();
    let _ = child.wait();
    assert!(alive, "the window ended on its own");
}

#[test]
fn without_a_display_the_way_out_is_said() {
    let city = district().to_str().expect("UTF-8");
    let mut child = Command::new(strata_binary())
        .args(["view", city])
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .current_dir(repository())
        .stderr(Stdio::piped())
        .spawn()
        .expect("strata view");
    let mut text = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut text).expect("UTF-8");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(4), "{text}");
    assert!(text.contains("DISPLAY") && text.contains("strata shot"), "{text}");
}
