import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "pipeline.demo"
    compileSdk = libs.versions.compile.sdk.get().toInt()

    defaultConfig {
        applicationId = "pipeline.demo"
        minSdk = libs.versions.min.sdk.get().toInt()
        targetSdk = libs.versions.target.sdk.get().toInt()
        versionCode = 1
        versionName = "1.0"
        // Phones and the emulator on a PC; the model is proven on these two.
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }

    // The model is mapped from the package, which only works where it is not compressed.
    androidResources { noCompress += "tflite" }

    // Two processors' libraries take 8 of the 10 MB an APK may have; compressed, 4. A phone extracts
    // them when it installs, and maps the extracted ones.
    packaging { jniLibs { useLegacyPackaging = true } }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    lint {
        warningsAsErrors = true
        // Pinned versions are raised on purpose, together with what was checked.
        disable += listOf("AndroidGradlePluginVersion", "GradleDependency", "NewerVersionAvailable", "OldTargetApi")
    }
}

kotlin {
    compilerOptions {
        jvmTarget.set(JvmTarget.JVM_1_8)
        allWarningsAsErrors.set(true)
    }
}

/** Core with its libraries, to run on the building machine. */
val modelCheck: Configuration by configurations.creating {
    isCanBeConsumed = false
    attributes {
        attribute(Usage.USAGE_ATTRIBUTE, objects.named(Usage.JAVA_RUNTIME))
        attribute(Category.CATEGORY_ATTRIBUTE, objects.named(Category.LIBRARY))
        attribute(LibraryElements.LIBRARY_ELEMENTS_ATTRIBUTE, objects.named(LibraryElements.JAR))
        attribute(
            TargetJvmEnvironment.TARGET_JVM_ENVIRONMENT_ATTRIBUTE,
            objects.named(TargetJvmEnvironment.STANDARD_JVM),
        )
    }
}

dependencies {
    implementation(project(":core"))
    implementation(libs.litert)
    modelCheck(project(":core"))
}

/** Fails with one sentence where the installed model is missing, changed or not proven. */
val checkModel by tasks.registering(JavaExec::class) {
    classpath = modelCheck
    mainClass.set("pipeline.core.CheckModelKt")
    args(layout.projectDirectory.dir("src/main/assets/model").asFile.path, libs.versions.tflite.checked.get())
}

tasks.named("preBuild") {
    dependsOn(checkModel)
}
