internal import FuzzSupport

/// libFuzzer's entry before the first input: the fuzzers of captures and their filters.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    FuzzProgram.choose(from: [
        "captures": CaptureFuzzer.run, "filters": FilterFuzzer.run,
    ])
    return 0
}
