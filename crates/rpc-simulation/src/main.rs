//! `rpc-simulation`: runs seeds.
use clap as _;
fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let first: u64 = args.next().unwrap().parse()?;
    let count: u64 = args.next().unwrap().parse()?;
    let start = std::time::Instant::now();
    let mut facts = 0;
    let mut bad = 0;
    for seed in first..first + count {
        let plan = rpc_simulation::plan::Plan::from_seed(seed);
        let outcome = rpc_simulation::run::run(&plan)?;
        facts += outcome.trace.len();
        if count == 1 {
            println!("{plan}");
            for e in &outcome.trace {
                println!("{e}");
            }
        }
        if let Some(v) = outcome.violation {
            println!("seed {seed}: {v}");
            bad += 1;
        }
    }
    println!(
        "{count} seeds, {bad} bad, {facts} facts, {:?} each",
        start.elapsed() / count as u32
    );
    Ok(())
}
