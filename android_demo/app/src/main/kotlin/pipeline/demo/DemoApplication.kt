package pipeline.demo

import android.app.Application

/** Holds what outlives a screen: the worker, the model, the self-test, the kept photos. */
class DemoApplication : Application() {
    internal val worker = Worker()

    /** What the app is put together from; a test may replace it before the first screen opens. */
    internal var parts: () -> Parts = { Parts(AssetFiles(assets)) }

    private val chosenParts: Parts by lazy { parts() }

    internal val model: ModelLoader by lazy {
        ModelLoader(worker, getString(R.string.promised_runtime)) { chosenParts }
    }

    internal val selfTest: SelfTestRun by lazy { SelfTestRun(worker, model) { chosenParts.files } }

    internal val photos: PhotoStore by lazy { PhotoStore(cacheDir) }

    override fun onCreate() {
        super.onCreate()
        worker.run({ photos.forgetOld() }) {}
    }
}
