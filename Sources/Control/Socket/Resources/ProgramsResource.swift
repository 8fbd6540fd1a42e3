internal import Datapath

/// The programs of the pipeline with what they ran.
struct ProgramsResource {
    let context: ControlContext

    /// One item for each program, in the order of the packet's way.
    func list() async throws(WorkerGone) -> [JSONValue] {
        let runs = try await context.worker.ask { pipeline in
            Program.allCases.map { pipeline.programs[$0] }
        }
        return zip(Program.allCases, runs).map { program, runs in
            .object([
                ("program", .string(program.name)), ("hook", .string(program.hook.name)),
                ("runs", .number(Int(clamping: runs))),
            ])
        }
    }
}
