// libFuzzer's entries. All fuzzers are in one program; CULVERT_FUZZ_TARGET says which one runs (tools/fuzz).
//
// A fuzzer takes any bytes. It ends by itself, or traps: by a check of the language, of AddressSanitizer, or by one of its own,
// which says what must be true of every input.
internal import CFuzz
internal import Glibc

/// All fuzzers by their names.
private let targets: [String: @Sendable ([UInt8]) -> Void] = [
    "pipeline": PacketFuzzer.run, "sequences": SequenceFuzzer.run, "captures": CaptureFuzzer.run,
    "manifests": ManifestFuzzer.run, "configuration": ConfigurationFuzzer.run, "names": NameFuzzer.run,
    "filters": FilterFuzzer.run, "control": ControlFuzzer.run, "traces": TraceFuzzer.run, "state": StateFuzzer.run,
]

// Safe: written once, before the first input; libFuzzer has one thread.
nonisolated(unsafe) private var chosen: ([UInt8]) -> Void = { _ in }

/// Chooses the fuzzer.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    culvert_fuzz_use_small_pages()
    let name = unsafe getenv("CULVERT_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = targets[name] else {
        print("CULVERT_FUZZ_TARGET is one of \(targets.keys.sorted().joined(separator: " "))")
        exit(2)
    }
    unsafe chosen = target
    return 0
}

/// Takes one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: libFuzzer hands in that many bytes.
    unsafe chosen([UInt8](UnsafeBufferPointer(start: data, count: count)))
    return 0
}
