package pipeline.demo

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite
import pipeline.core.Engine
import pipeline.core.Refusal

/**
 * Runs the model with TensorFlow Lite on the CPU.
 *
 * This file knows nothing of Android, so that a plain JVM runs it too.
 *
 * @throws Refusal the runtime does not load the model, for instance because it has newer operators.
 */
class InterpreterEngine(model: ByteBuffer, override val threads: Int) : Engine {
    override val runtimeVersion: String = TensorFlowLite.runtimeVersion()
    private val interpreter: Interpreter
    private val outputBytes: Int

    init {
        try {
            // Stated, not left to the library: other kernels round int8 layers differently.
            val options = Interpreter.Options().setNumThreads(threads).setUseXNNPACK(true)
            interpreter = Interpreter(model, options)
            outputBytes = interpreter.getOutputTensor(0).numBytes()
        } catch (error: IllegalArgumentException) {
            throw unreadable(error)
        } catch (error: IllegalStateException) {
            throw unreadable(error)
        }
    }

    override fun run(input: ByteBuffer): ByteBuffer {
        val output = ByteBuffer.allocateDirect(outputBytes).order(ByteOrder.nativeOrder())
        try {
            interpreter.run(input, output)
        } catch (error: IllegalArgumentException) {
            throw Refusal("The model cannot be run: ${oneLine(error)}.", error)
        } catch (error: IllegalStateException) {
            throw Refusal("The model cannot be run: ${oneLine(error)}.", error)
        }
        output.rewind()
        return output
    }

    override fun close() = interpreter.close()

    private fun unreadable(error: Exception) =
        Refusal("The model file cannot be read: ${oneLine(error)}.", error)

    // TensorFlow Lite reports several lines; the first names the fault, or announces the second.
    private fun oneLine(error: Exception): String =
        error.message.orEmpty().lines().map(String::trim).filter(String::isNotEmpty).joinToString(" ").trimEnd('.')
            .ifEmpty { error.javaClass.simpleName }
}
