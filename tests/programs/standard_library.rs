//! Rust with its standard library: collections, iterators, formatting, files, environment, threads' absence, panics.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime};

fn words() -> io::Result<()> {
    let mut counts = BTreeMap::new();
    for line in io::stdin().lock().lines() {
        for word in line?.split_whitespace() {
            *counts.entry(word.to_string()).or_insert(0u32) += 1;
        }
    }
    for (word, count) in &counts {
        println!("{:<10}{}", word, count);
    }
    Ok(())
}

fn numbers() {
    let mut state = 42u64;
    let mut values: Vec<u64> = (0..200_000)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % 1_000_003
        })
        .collect();
    values.sort_unstable();
    let mut seen: HashMap<u64, u32> = HashMap::new();
    for value in &values {
        *seen.entry(*value).or_default() += 1;
    }
    println!("median {}, sum {}, distinct {}", values[values.len() / 2], values.iter().sum::<u64>(), seen.len());
}

fn files(directory: &str) -> io::Result<()> {
    let path = format!("{}/made", directory);
    fs::create_dir(&path)?;
    let file = format!("{}/text", path);
    let mut out = fs::File::create(&file)?;
    write!(out, "line one\nline two\n{:#x}\n", 255)?;
    drop(out);
    fs::OpenOptions::new().append(true).open(&file)?.write_all(b"more\n")?;
    let mut reader = fs::File::open(&file)?;
    reader.seek(SeekFrom::Start(5))?;
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    println!("{:?} {}", text, reader.metadata()?.len());
    fs::rename(&file, format!("{}/renamed", path))?;
    fs::copy(format!("{}/renamed", path), format!("{}/copied", path))?;
    let mut names: Vec<String> =
        fs::read_dir(&path)?.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    println!("{:?}", names);
    for name in names {
        fs::remove_file(format!("{}/{}", path, name))?;
    }
    fs::remove_dir(&path)?;
    println!("{:?}", fs::File::open(&file).map_err(|error| error.kind()).err());
    println!("{:?}", fs::read("/etc/passwd").is_err());
    Ok(())
}

fn main() -> io::Result<()> {
    println!("{:?}", env::args().skip(1).collect::<Vec<_>>());
    println!("{:?}", env::var("GREETING"));
    words()?;
    numbers();
    if let Some(directory) = env::args().nth(1) {
        files(&directory)?;
    }
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    println!("{} {}", began.elapsed() >= Duration::from_millis(20), SystemTime::now() > SystemTime::UNIX_EPOCH);
    std::process::exit(7)
}
