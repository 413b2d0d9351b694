package pipeline.demo

import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.pluginapi.config.GlobalConfigProvider

/** Runs tests on the Android level of `-Dsdk`, on a phone of 411 x 891 dp. */
class DemoRunner(test: Class<*>) : RobolectricTestRunner(test, injector) {
    private companion object {
        val injector = defaultInjector().bind(
            GlobalConfigProvider::class.java,
            GlobalConfigProvider {
                Config.Builder()
                    .setSdk(checkNotNull(Integer.getInteger("sdk")) { "run with -Dsdk=34" })
                    .setQualifiers("w411dp-h891dp-xhdpi")
                    .build()
            },
        ).build()
    }
}
