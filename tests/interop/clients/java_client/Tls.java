import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultSaslConfig;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** TLS, with a password and by certificate. */
final class Tls {
    private static final char[] NO_PASSWORD = new char[0];
    private static final int BODY_BYTES = 300_000;

    private Tls() {}

    static void password(Run run) throws Exception {
        through(run, false);
    }

    static void external(Run run) throws Exception {
        through(run, true);
    }

    private static void through(Run run, boolean external) throws Exception {
        ConnectionFactory factory = run.factory(System.getenv("INTEROP_TLS_URL"));
        factory.useSslProtocol(context(external));
        if (external) {
            factory.setSaslConfig(DefaultSaslConfig.EXTERNAL);
        }
        try (Connection connection = factory.newConnection()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            channel.basicPublish("", queue, null, new byte[BODY_BYTES]);
            Check.equal(Check.taken(channel, queue).getBody().length, BODY_BYTES, "length of the body");
        }
    }

    private static SSLContext context(boolean withClient) throws Exception {
        Path folder = Path.of(System.getenv("INTEROP_CERTIFICATES"));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        KeyStore authorities = store();
        authorities.setCertificateEntry("ca", certificate(folder.resolve("ca.pem")));
        trust.init(authorities);
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        KeyStore keys = store();
        if (withClient) {
            Certificate[] chain = {certificate(folder.resolve("client.pem"))};
            keys.setKeyEntry("client", key(folder.resolve("client-key.pem")), NO_PASSWORD, chain);
        }
        own.init(keys, NO_PASSWORD);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(own.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static KeyStore store() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        return store;
    }

    private static Certificate certificate(Path file) throws Exception {
        try (InputStream stream = Files.newInputStream(file)) {
            return CertificateFactory.getInstance("X.509").generateCertificate(stream);
        }
    }

    private static PrivateKey key(Path file) throws Exception {
        String base64 = Files.readString(file).replaceAll("-----[A-Z ]+-----", "").replaceAll("\\s", "");
        return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
    }
}
