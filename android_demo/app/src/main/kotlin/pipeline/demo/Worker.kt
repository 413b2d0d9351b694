package pipeline.demo

import android.os.Handler
import android.os.Looper
import java.util.concurrent.Executors

/**
 * Does work one piece after another on a single background thread.
 *
 * The interpreter allows one thread at a time, so everything that touches the model runs here.
 */
class Worker {
    private val thread = Executors.newSingleThreadExecutor { Thread(it, THREAD) }
    private val main = Handler(Looper.getMainLooper())

    /** Runs [work] in the background, then [then] with its result on the main thread. */
    fun <T> run(work: () -> T, then: (T) -> Unit) {
        // A fault in the program is to crash the app, as on any thread; execute does that.
        thread.execute {
            val result = work()
            post { then(result) }
        }
    }

    /** Runs [block] on the main thread, after what was posted there before. */
    fun post(block: () -> Unit) {
        main.post(block)
    }

    companion object {
        const val THREAD = "pipeline-worker"
    }
}
