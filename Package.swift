// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target is compiled with: Swift 6 mode, and strict memory safety as an error.
///
/// So `unsafe` stands in named places only. `Lifetimes` is the flag behind `~Escapable` views (swift-nio and swift-collections
/// enable it as well); `Extern` and its like are not used.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .treatWarning("StrictMemorySafety", as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "culvert",
    products: [.executable(name: "culvert", targets: ["culvert"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
    ],
    targets: [
        .target(name: "CShims"),
        .target(name: "CTun"),
        .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
        .target(name: "Wire", swiftSettings: settings),
        .target(name: "Tables", dependencies: ["CShims"], swiftSettings: settings),
        .target(name: "Datapath", dependencies: ["Wire", "Tables"], swiftSettings: settings),
        .target(name: "Devices", dependencies: ["CTun", "Wire"], swiftSettings: settings),
        .target(name: "Capture", dependencies: ["CPcap", "Wire"], swiftSettings: settings),
        .target(name: "Kubernetes", dependencies: ["Wire", "Yams"], swiftSettings: settings),
        .target(name: "Services", dependencies: ["Kubernetes", "Datapath", "Tables", "Wire"], swiftSettings: settings),
        .target(
            name: "Names",
            dependencies: [
                "Wire", "Datapath", "Kubernetes", "Services",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Control",
            dependencies: [
                "Wire", "Tables", "Datapath", "Devices", "Capture", "Kubernetes", "Services", "Names", "Yams",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "culvert",
            dependencies: [
                "Wire", "Datapath", "Devices", "Capture", "Kubernetes", "Services", "Names", "Control",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["Wire", "Tables", "Datapath"],
            path: "Tests/Support",
            swiftSettings: settings
        ),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .testTarget(name: "WireTests", dependencies: ["Wire", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "TablesTests", dependencies: ["Tables", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "DatapathTests",
            dependencies: ["Datapath", "Wire", "Tables", "TestSupport", "CAllocationCounter"],
            swiftSettings: settings
        ),
        .testTarget(name: "DevicesTests", dependencies: ["Devices", "Wire"], swiftSettings: settings),
        .testTarget(name: "CaptureTests", dependencies: ["Capture", "CPcap", "Wire"], swiftSettings: settings),
        .testTarget(name: "KubernetesTests", dependencies: ["Kubernetes", "Wire"], swiftSettings: settings),
        .testTarget(
            name: "ServicesTests",
            dependencies: ["Services", "Kubernetes", "Datapath", "Tables", "Wire", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "NamesTests",
            dependencies: ["Names", "Services", "Kubernetes", "Datapath", "Wire", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ProbeTests",
            dependencies: ["Control", "Services", "Datapath", "Kubernetes", "Wire", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SocketTests",
            dependencies: ["Control", "Datapath", "Devices", "Wire", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ControlTests",
            dependencies: [
                "Control", "Capture", "Datapath", "Devices", "Kubernetes", "Services", "Wire", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
    ]
)

// The benchmark and the fuzzers are built by their tools only, so that `swift build` never pays for them.
if Context.environment["CULVERT_BENCH"] != nil {
    package.targets.append(
        .executableTarget(
            name: "culvert-bench",
            dependencies: ["Datapath", "Tables", "Wire"],
            path: "tools/benchmarks/memory",
            exclude: ["section.py"],
            swiftSettings: settings
        )
    )
    package.targets.append(
        .executableTarget(
            name: "culvert-bench-services",
            dependencies: ["Control", "Datapath", "Kubernetes", "Services"],
            path: "tools/benchmarks/services",
            exclude: ["section.py"],
            swiftSettings: settings
        )
    )
}

// Three programs have all fuzzers, each with no more of Culvert than it needs: libFuzzer looks through the counters of the
// whole program after every input. The sanitizers stand in one flag: of two flags the compiler takes the last one only. What
// Culvert depends upon is built as ever.
if Context.environment["CULVERT_FUZZ"] != nil {
    let sanitizers = ["-sanitize=address,fuzzer"]
    let fuzzed = settings + [.unsafeFlags(sanitizers)]
    // Nothing but the fuzzers and what they need: of the daemon no more than what reads, so that no server is compiled, and
    // nothing that one stands upon.
    package.targets.removeAll { $0.type == .test || ["culvert", "CAllocationCounter"].contains($0.name) }
    package.products = []
    let readers = [
        "Names": ["KnownNames.swift", "Compilation"],
        "Control": [
            "Configuration", "Events", "Inspection", "Replay", "State", "Traces", "Verification",
            "Client/ItemReader.swift", "Socket/FlowFilter.swift", "Socket/Query.swift",
        ],
    ]
    for target in package.targets where target.swiftSettings != nil {
        target.swiftSettings? += [.unsafeFlags(sanitizers)]
        guard let sources = readers[target.name] else { continue }
        target.sources = sources
        target.dependencies.removeAll { if case .productItem = $0 { true } else { false } }
    }
    package.targets.append(.target(name: "CFuzz", path: "tools/fuzzers/CFuzz"))
    package.targets.append(
        .target(
            name: "FuzzSupport",
            dependencies: ["CFuzz", "Tables"],
            path: "tools/fuzzers/Support",
            swiftSettings: fuzzed
        )
    )
    let programs: [(name: String, folder: String, dependencies: [Target.Dependency])] = [
        ("culvert-fuzz-datapath", "Datapath", ["Wire", "Tables", "Datapath", "TestSupport"]),
        ("culvert-fuzz-capture", "Capture", ["Capture"]),
        (
            "culvert-fuzz-control", "Control",
            ["Wire", "Tables", "Datapath", "Capture", "Kubernetes", "Services", "Control"]
        ),
    ]
    for program in programs {
        package.targets.append(
            .executableTarget(
                name: program.name,
                dependencies: ["FuzzSupport"] + program.dependencies,
                path: "tools/fuzzers/\(program.folder)",
                swiftSettings: fuzzed,
                linkerSettings: [.unsafeFlags(sanitizers)]
            )
        )
    }
}

// The recorder makes the files in captures/; tools/record builds it.
if Context.environment["CULVERT_TOOLS"] != nil {
    package.targets.append(
        .executableTarget(
            name: "culvert-recorder",
            dependencies: ["Wire"],
            path: "tools/recorder",
            swiftSettings: settings
        )
    )
}

// What tools/mutate builds again and again: the datapath and its tests, nothing else.
if Context.environment["CULVERT_DATAPATH_ONLY"] != nil {
    let kept = [
        "CShims", "Wire", "Tables", "Datapath", "TestSupport", "CAllocationCounter", "WireTests", "DatapathTests",
    ]
    package.targets.removeAll { !kept.contains($0.name) }
    package.dependencies = []
    package.products = []
}
