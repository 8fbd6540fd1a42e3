internal import FuzzSupport

/// libFuzzer's entry before the first input: the fuzzers of what people and other programs write.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    FuzzProgram.choose(from: [
        "manifests": ManifestFuzzer.run, "configuration": ConfigurationFuzzer.run, "control": ControlFuzzer.run,
        "traces": TraceFuzzer.run, "replays": ReplayStateFuzzer.run,
    ])
    return 0
}
