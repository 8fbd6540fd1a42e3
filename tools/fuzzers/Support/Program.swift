internal import CFuzz
internal import Glibc

/// The fuzzers of a program, one of which runs: CULVERT_FUZZ_TARGET says which (tools/fuzz).
///
/// A fuzzer takes any bytes. It ends by itself, or traps: by a check of the language, of AddressSanitizer, or by one of its own,
/// which says what must be true of every input. What one input leaves behind no other may notice, so that a finding repeats.
package enum FuzzProgram {
    // Safe: written once, before the first input; libFuzzer has one thread.
    nonisolated(unsafe) fileprivate static var chosen: ([UInt8]) -> Void = { _ in }

    /// Chooses the fuzzer, by its name.
    package static func choose(from fuzzers: [String: @Sendable ([UInt8]) -> Void]) {
        culvert_fuzz_use_small_pages()
        let name = unsafe getenv("CULVERT_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
        guard let fuzzer = fuzzers[name] else {
            print("CULVERT_FUZZ_TARGET is one of \(fuzzers.keys.sorted().joined(separator: " "))")
            exit(2)
        }
        unsafe chosen = fuzzer
    }
}

/// libFuzzer's entry: takes one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: libFuzzer hands in that many bytes.
    unsafe FuzzProgram.chosen([UInt8](UnsafeBufferPointer(start: data, count: count)))
    return 0
}
