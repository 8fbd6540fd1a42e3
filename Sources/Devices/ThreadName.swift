internal import CTun

/// Names the calling thread, as ps(1) and top(1) show it: at most 15 bytes.
///
/// Foundation's threads have a name for the kernel only if it is set after they have begun, and not in their first moments.
package func nameThread(_ name: String) {
    // Safe: the name lives for the call, and is only read.
    unsafe ctun_name_thread(name)
}
