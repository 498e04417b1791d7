//! Writes the JavaScript glue beside a wasm: `wasm-glue IN.wasm OUT_DIR`. The library instead of the command
//! line tool, so that the lock file pins its version to that of the crate inside the wasm.

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(wasm), Some(out)) = (args.next(), args.next()) else { anyhow::bail!("usage: wasm-glue IN.wasm OUT_DIR") };
    // The names of functions are a fifth of the file and say something only in traces.
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name("render")
        .generate(out)
}
