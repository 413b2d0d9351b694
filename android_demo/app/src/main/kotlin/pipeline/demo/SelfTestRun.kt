package pipeline.demo

import android.os.Build
import pipeline.core.FileStore
import pipeline.core.Refusal
import pipeline.core.SelfTest
import pipeline.core.SelfTestReport

/** Says how far the self-test is. */
internal sealed class SelfTestState {
    object Idle : SelfTestState()

    class Running(val done: Int, val total: Int) : SelfTestState()

    class Done(val report: SelfTestReport) : SelfTestState()

    class Refused(val sentence: String) : SelfTestState()
}

/** Runs the goldens on the worker, one run at a time; [files] gives where the model lies. */
internal class SelfTestRun(
    private val worker: Worker,
    private val model: ModelLoader,
    private val files: () -> FileStore,
) {
    val state = Live<SelfTestState>(SelfTestState.Idle)

    /** Starts a run unless one is under way. */
    fun start() {
        if (state.value is SelfTestState.Running) return
        state.value = SelfTestState.Running(0, 0)
        worker.run(::run) { state.value = it }
    }

    private fun run(): SelfTestState = try {
        val loaded = model.onWorker()
        val report = SelfTest(loaded.bundle, loaded.classifier, files(), host()).run { done, total ->
            worker.post { state.value = SelfTestState.Running(done, total) }
        }
        SelfTestState.Done(report)
    } catch (refusal: Refusal) {
        SelfTestState.Refused(refusal.message.orEmpty())
    }

    private fun host(): String =
        "${Build.MANUFACTURER} ${Build.MODEL}, Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT}), " +
            Build.SUPPORTED_ABIS.firstOrNull().orEmpty()
}
