import Control

/// Configuration files: a configuration, or every fault with its field.
enum ConfigurationFuzzer {
    static func run(_ bytes: [UInt8]) {
        do throws(ConfigurationError) {
            let configuration = try ConfigurationReader.read(name: "fuzz.yaml", bytes: bytes)
            precondition(!configuration.node.name.isEmpty, "a node without a name is no configuration")
            precondition(1...16_777_216 ~= configuration.conntrack.capacity)
        } catch {
            precondition(!error.faults.isEmpty, "an error names a fault")
            precondition(!error.faults.contains { $0.contains("\n") }, "a fault is one line")
        }
    }
}
