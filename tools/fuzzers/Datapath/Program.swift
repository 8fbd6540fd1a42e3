internal import FuzzSupport

/// libFuzzer's entry before the first input: the fuzzers of the datapath.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    FuzzProgram.choose(from: [
        "pipeline": PacketFuzzer.run, "offload": OffloadFuzzer.run, "sequences": SequenceFuzzer.run,
        "names": NameFuzzer.run, "state": StateFuzzer.run,
    ])
    return 0
}
