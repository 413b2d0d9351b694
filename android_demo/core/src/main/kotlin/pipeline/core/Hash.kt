package pipeline.core

import java.nio.ByteBuffer
import java.security.MessageDigest

/** Collects bytes into a SHA-256, 64 lower-case hex digits. */
class Hash {
    private val digest = MessageDigest.getInstance("SHA-256")

    fun add(bytes: ByteArray): Hash = apply { digest.update(bytes) }

    fun add(buffer: ByteBuffer): Hash = apply { digest.update(buffer.duplicate().apply { rewind() }) }

    fun hex(): String = digest.digest().joinToString("") { "%02x".format(it) }

    companion object {
        fun of(bytes: ByteArray): String = Hash().add(bytes).hex()

        fun of(buffer: ByteBuffer): String = Hash().add(buffer).hex()
    }
}
