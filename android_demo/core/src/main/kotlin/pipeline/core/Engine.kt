package pipeline.core

import java.io.Closeable
import java.nio.ByteBuffer

/** Runs the model: whole input tensor in, whole output tensor out. One thread at a time. */
interface Engine : Closeable {
    val runtimeVersion: String
    val threads: Int

    /** Runs the model on a direct buffer in native byte order and returns the output tensor. */
    fun run(input: ByteBuffer): ByteBuffer
}
